"""The client file as one checked model: unknown keys, wrong types and impossible values stop before anything runs."""

from __future__ import annotations

import zoneinfo
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kpi_research.appraisal.goal import Goal
from kpi_research.appraisal.incentives import IncentivePlan
from kpi_research.appraisal.rules import Business
from kpi_research.appraisal.scheme import TEMPLATES, Scheme, template_names
from kpi_research.appraisal.versions import ANY_CYCLE, SchemeVersion, Window
from kpi_research.errors import InputError, Problem
from kpi_research.kpis.catalogue import catalogue
from kpi_research.kpis.custom import CustomKpi, Label, custom_kpis
from kpi_research.kpis.definition import Kind, Kpi
from kpi_research.run.changes import ChangeSettings, ClaimSettings
from kpi_research.run.client_yaml import line_of, load_yaml, plain, written
from kpi_research.sources.mapping import Source

DAY = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"
KpiName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,60}$")]
"""An identifier, since the panel machine writes it into its queries."""
Audience = Literal["manager", "analyst", "person"]
Notebook = Literal["appraisal", "scorecard", "evidence", "data_quality"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlanSettings(_Strict):
    """The analysis plan, frozen before the data are looked at."""

    grain: Literal["month"] = "month"
    lags: int = Field(3, ge=1, le=6)
    q: float = Field(0.10, gt=0, lt=1)
    sesoi: float = Field(0.10, gt=0, lt=1)
    burn_in_months: int = Field(3, ge=0, le=24)


class ReportSettings(_Strict):
    """One kind of report: which notebook, for each of what, for whom."""

    notebook: Notebook
    per: Literal["team", "company", "person"]
    every: Literal["quarter"] = "quarter"
    audience: Audience

    @model_validator(mode="after")
    def _shows_a_person_their_own(self) -> ReportSettings:
        of_persons = [self.notebook == "scorecard", self.per == "person", self.audience == "person"]
        if any(of_persons) and not all(of_persons):
            raise ValueError("a scorecard is per person and for the audience person, and no other report is")
        return self


class ClientFile(_Strict):
    """A client file.

    Parameters
    ----------
    client
        Slug; names the output folder.
    calendar
        Country whose working days count.
    scheme
        A template's name, a scheme written out, or none: then nothing is scored.
    schemes, window
        In its place several, each from a day on and for some people; and when they may change.
    business
        What kind of business it is, which decides on the KPIs that fit.
    goals
        What is to be reached, and the KPIs that serve it.
    incentives, bonus_bases
        What is paid for which score, and the file of what each person's bonus is reckoned from; managers then see both
        for their own people.
    changes, claims
        KPIs that were given weight, by team and day; and what somebody says a product has done.
    outcome, predictors
        The result to be predicted; a kind of KPI, or names.
    negative_controls
        Results that the predictors cannot bring about, and that the study holds them against.
    kpis
        The client's own KPIs; one that has the name of a KPI of the catalogue takes its place.
    since, until
        First and last day that the records cover in full, where the first and last event on file are not they: what
        was carried over into a new CRM counts as history, not as work.
    """

    client: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    title: Label
    language: Literal["zh", "en", "both"] = "zh"
    currency: str = Field("CNY", pattern=r"^[A-Z]{3}$")
    timezone: str = "Asia/Shanghai"
    calendar: str = "CN"
    fiscal_year_starts: int = Field(1, ge=1, le=12)
    source: Source
    stages: list[str] = []
    scheme: str | Scheme | None = None
    schemes: list[SchemeVersion] = []
    window: Window = ANY_CYCLE
    business: Business | None = None
    goals: list[Goal] = []
    incentives: IncentivePlan | None = None
    bonus_bases: str | None = None
    changes: list[ChangeSettings] = []
    claims: list[ClaimSettings] = []
    outcome: str = "signed_amount"
    predictors: Kind | list[str] = "process"
    negative_controls: list[str] = []
    kpis: dict[KpiName, CustomKpi] = {}
    plan: PlanSettings = Field(default_factory=lambda: PlanSettings.model_validate({}))
    since: str | None = Field(None, pattern=DAY)
    until: str | None = Field(None, pattern=DAY)
    reports: list[ReportSettings] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_one_way_to_score(self) -> ClientFile:
        if self.scheme is not None and self.schemes:
            raise ValueError("either `scheme` or `schemes`, not both")
        return self

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        if name not in zoneinfo.available_timezones():
            raise ValueError(f"{name!r} is no time zone; write it like Asia/Shanghai")
        return name

    @field_validator("calendar")
    @classmethod
    def _known_country(cls, code: str) -> str:
        from holidays import list_supported_countries

        if code not in list_supported_countries():
            raise ValueError(f"{code!r} is no country code with known holidays; write it like CN")
        return code


def read_client_file(path: Path) -> ClientFile:
    """Read and check a client file.

    Raises
    ------
    InputError
        Everything that is wrong with it, each with its line.
    """
    if not path.is_file():
        beside = tuple(sorted(p.name for p in path.parent.glob("*.y*ml"))) if path.parent.is_dir() else ()
        raise InputError(Problem("source.missing", values={"path": path.as_posix()}, given=path.name, allowed=beside))
    document = load_yaml(path)
    try:
        return ClientFile.model_validate(plain(document))
    except ValidationError as error:
        raise InputError([_problem(path, document, found) for found in error.errors()]) from None


def kpis_of(settings: ClientFile) -> dict[str, Kpi]:
    """Every KPI of a client by name: the catalogue's and its own.

    Raises
    ------
    InputError
        If its own name a table or a column that there is not.
    """
    return {**catalogue(), **custom_kpis(settings.kpis, f"{settings.client}.yaml")}


def read_scheme(given: str | Scheme | None, path: Path | None = None) -> Scheme | None:
    """The client's scheme: written out in its file, or a template of this name.

    Parameters
    ----------
    path
        The client file, for messages.

    Raises
    ------
    InputError
        If there is no such template.
    """
    if given is None or isinstance(given, Scheme):
        return given
    if given not in template_names():
        where, known = path.name if path else "", template_names()
        raise InputError(Problem("settings.unknown_scheme", where, {"scheme": given}, given, known))
    return Scheme.model_validate(plain(load_yaml(TEMPLATES / f"{given}.yaml")))


def _problem(path: Path, document: Any, found: Any) -> Problem:
    """One of pydantic's findings in our words, at its line."""
    keys = [key for key in found["loc"] if not (isinstance(key, str) and key in _VARIANTS)]
    where, name = f"{path.name}:{line_of(document, keys)}", ".".join(written(document, keys))
    if found["type"] == "extra_forbidden":
        allowed = _allowed_beside(keys)
        return Problem("settings.unknown_key", where, {"key": name}, str(keys[-1]), allowed)
    if found["type"] == "missing":
        return Problem("settings.missing_key", where, {"key": name})
    reason = found["msg"].removeprefix("Value error, ")
    return Problem("settings.wrong_value", where, {"key": name, "reason": reason, "given": _short(found["input"])})


_VARIANTS = {"files", "database", "canonical", "simulated", "merged", "Scheme", "str", "list[str]"} | {
    "literal['result','process','efficiency','customer_value','collaboration','digital','growth']"
}


def _allowed_beside(keys: list[Any]) -> tuple[str, ...]:
    """The names that may stand where an unknown one stood."""
    schema = ClientFile.model_json_schema()
    nodes = [schema]
    for key in keys[:-1]:
        nodes = [child for node in nodes for child in _children(_resolve(schema, node), key)]
    names = [name for node in nodes for name in _resolve(schema, node).get("properties", {})]
    return tuple(dict.fromkeys(names))


def _children(node: dict[str, Any], key: Any) -> list[dict[str, Any]]:
    if isinstance(key, int):
        found: list[Any] = [node.get("items")]
    else:
        found = [node.get("properties", {}).get(key), node.get("additionalProperties")]
    children: list[dict[str, Any]] = [child for child in found if isinstance(child, dict)]
    return [variant for child in children for variant in (child.get("oneOf") or child.get("anyOf") or [child])]


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    return schema["$defs"][reference.rsplit("/", 1)[-1]] if reference else node


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
