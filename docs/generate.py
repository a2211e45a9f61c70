"""What is written from the code instead of by hand: `environment.yml`, the KPI dictionary, the keys of a client file.

Every generator returns text; `docs/check.py` compares it with what is on disk, or writes it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from packaging.requirements import Requirement
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from scheme_rules import scheme_rules
from systems import systems
from templates import templates

from kpi_research.appraisal.versions import SchemeVersion
from kpi_research.kpis.catalogue import catalogue, lineage
from kpi_research.kpis.custom import Condition, CustomKpi
from kpi_research.kpis.definition import LEVELS, Kpi
from kpi_research.run.settings import ClientFile
from kpi_research.sources.mapping import (
    CanonicalSource,
    Case,
    DatabaseSource,
    FilesSource,
    Lines,
    MergedSource,
    TableMapping,
    Unfold,
    Unpivot,
)

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
ENVIRONMENT, DICTIONARY, CLIENT_FILE = ROOT / "environment.yml", DOCS / "kpi-dictionary.md", DOCS / "client-file.md"
SYSTEMS, SCHEME_RULES, TEMPLATES = DOCS / "systems.md", DOCS / "scheme-rules.md", DOCS / "templates.md"
KEYS = DOCS / "client-keys.toml"
BEGIN, END = "<!-- keys: written by docs/check.py --write -->", "<!-- end of keys -->"
WRITTEN = "<!-- Written by docs/check.py --write from the definitions in kpi_research/kpis/. -->"

ELSEWHERE: dict[type[BaseModel], str] = {
    TableMapping: "mapping",
    Case: "case",
    Lines: "lines",
    Unfold: "unfold",
    Unpivot: "unpivot",
    CustomKpi: "own_kpi",
    Condition: "condition",
}
"""Models of the client file that stand in several places, and the name under which they are described."""

CONDA_NAMES = {"ibis-framework": "ibis-duckdb", "duckdb": "python-duckdb", "matplotlib": "matplotlib-base"}
"""Packages that conda-forge calls otherwise, or splits: `matplotlib` there brings a window toolkit along."""


def generated() -> dict[Path, str]:
    """Every generated file with the text that it should have."""
    return {
        ENVIRONMENT: environment(),
        DICTIONARY: dictionary(),
        CLIENT_FILE: client_file(),
        SYSTEMS: systems(),
        SCHEME_RULES: scheme_rules(),
        TEMPLATES: templates(),
    }


def pyproject() -> dict[str, Any]:
    """The `project` table of `pyproject.toml`."""
    return _pyproject_file()["project"]


def development() -> list[str]:
    """The requirements of the development group."""
    return _pyproject_file()["dependency-groups"]["dev"]


def _pyproject_file() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def environment() -> str:
    """`environment.yml` for conda: Python and the runtime requirements with their bounds, then this folder by pip."""
    project = pyproject()
    wanted = [Requirement(line) for line in project["dependencies"]]
    lines = [f"python {project['requires-python']}", *(f"{_conda_name(one)} {_bounds(one)}" for one in wanted), "pip"]
    return "\n".join(
        [
            "# Written from pyproject.toml by docs/check.py --write.",
            f"name: {project['name']}",
            "channels:",
            "  - conda-forge",
            "  - nodefaults",
            "dependencies:",
            *(f'  - "{line}"' for line in lines),
            "  - pip:",
            '      - "-e ."',
            "",
        ]
    )


def _conda_name(requirement: Requirement) -> str:
    return CONDA_NAMES.get(requirement.name, requirement.name)


def _bounds(requirement: Requirement) -> str:
    return ",".join(sorted((str(each) for each in requirement.specifier), key=lambda bound: bound.startswith("<")))


def dictionary() -> str:
    """The KPI dictionary: an overview, then one entry a KPI, in both languages."""
    kpis = sorted(catalogue().values(), key=lambda kpi: kpi.id)
    overview = [(f"[`{k.name}`](#{k.name})", k.id, k.label.zh, k.label.en, k.kind, k.unit) for k in kpis]
    parts = [
        WRITTEN,
        "# KPI dictionary · 指标字典",
        f"{len(kpis)} KPIs. Ids are those of the source articles the definitions go back to; KPIs without one are "
        "variants. A value at any level and over any period is a sum of numerators, the ratio of two sums, a median, a "
        "number of different things, or the same of what stands at the period's end; never a mean of means.\n\n"
        f"共 {len(kpis)} 个指标,没有编号的是变体。任何层级、任何期间的数值都是分子之和、两个和之比、"
        "中位数、不同对象的个数,或期末状态的上述数值,不对平均数再求平均。",
        _table(("name", "id", "中文", "English", "kind", "unit"), overview),
        *(entry(kpi) for kpi in kpis),
    ]
    return "\n\n".join(parts) + "\n"


def entry(kpi: Kpi) -> str:
    """One KPI: its meaning, how it is computed, from which fields, and the example worked by hand."""
    facts = [
        ("formula · 公式", _formula(kpi)),
        ("counted for · 归属", f"`{kpi.who}`, at the time `{kpi.when}`"),
        ("unit, better when · 单位与方向", f"{kpi.unit}, {kpi.direction}"),
        ("kind, nature · 类别", f"{kpi.kind}, {kpi.nature}"),
        ("tables · 数据表", _code(kpi.needs)),
        ("fields · 字段", _code(sorted(lineage(kpi.name)))),
        ("also called · 别名", ", ".join(kpi.aliases) or "–"),
    ]
    if kpi.matures_after_days:
        facts.append(("judged after · 成熟期", f"{kpi.matures_after_days} days"))
    if kpi.history_days:
        facts.append(("data needed before · 所需历史", f"{kpi.history_days} days"))
    if kpi.levels != LEVELS:
        facts.append(("levels · 层级", ", ".join(kpi.levels)))
    if kpi.weight_band:
        band = kpi.weight_band
        facts.append(("usual weight · 常见权重", f"{band.lowest}–{band.highest} % ({band.source})"))
    if kpi.gaming:
        facts.append(("known gaming · 常见美化手法", f"{kpi.gaming.zh} {kpi.gaming.en}"))
    return "\n\n".join(
        [
            f'<a id="{kpi.name}"></a>\n## {kpi.id} {kpi.label.zh} · {kpi.label.en}',
            f"{kpi.meaning.zh}\n\n{kpi.meaning.en}",
            _table(("", ""), facts),
            f"Why: {kpi.why}",
            _example(kpi),
        ]
    )


def _formula(kpi: Kpi) -> str:
    end = " of what stands at the period's end · 期末状态" if kpi.aggregation == "at_end" else ""
    plain = {"median": "median · 中位数", "distinct": "number of different ones · 不同对象的个数"}
    if kpi.counted_over is None:
        return plain.get(kpi.aggregation, "sum of the numerators · 分子之和" + end)
    over = f"{kpi.counted_over.zh} · {kpi.counted_over.en}"
    return f"sum of numerators ÷ sum of denominators · 分子之和 ÷ 分母之和{end}; denominator · 分母: {over}"


def _example(kpi: Kpi) -> str:
    example = kpi.example
    if example is None:
        raise ValueError(f"{kpi.name} has no worked example")
    found = f"{example.numerator:g}" + (f" ÷ {example.denominator:g}" if example.denominator is not None else "")
    tables = [f"`{name}`\n\n{_rows(rows)}" for name, rows in example.given.items()]
    closing = f"→ {example.person_id} in {example.period}: **{found}**. {example.because}"
    return "\n\n".join(["Worked example · 算例:", *tables, closing])


def _rows(rows: tuple[Mapping[str, Any], ...]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return _table(columns, [[row.get(name, "") for name in columns] for row in rows])


def client_file() -> str:
    """`docs/client-file.md` with the table of keys put anew between its marks.

    Raises
    ------
    ValueError
        If the marks are missing, or a key has no meaning in `client-keys.toml`, or a meaning no key.
    """
    before, _, rest = CLIENT_FILE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{CLIENT_FILE.name} lacks its marks {BEGIN} and {END}")
    meanings = tomllib.loads(KEYS.read_text(encoding="utf-8"))
    fields = dict(keys(ClientFile))
    if strays := set(fields) ^ set(meanings):
        raise ValueError(f"{KEYS.name} and the models do not agree on {sorted(strays)}")
    rows = [(f"`{key}`", _allowed(field), _default(field), meanings[key]) for key, field in fields.items()]
    return f"{before}{BEGIN}\n{_table(('key', 'takes', 'default', 'meaning'), rows)}\n{END}{after}"


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key of a model and of the models within it, by its path; `[]` is a list's item, `<name>` a mapping's.

    What stands in several places is listed once: by the name in `ELSEWHERE`, or where it stands first.
    """
    for name, field in model.model_fields.items():
        inner = list(_models(field.annotation))
        listed_before = model is MergedSource or (model is SchemeVersion and name == "scheme")
        listed_elsewhere = listed_before or any(child in ELSEWHERE for _, child in inner)
        if not inner or listed_elsewhere or _is_named_or_written_out(field.annotation):
            yield prefix + name, field
        for step, child in inner if not listed_elsewhere else ():
            yield from keys(child, f"{prefix}{name}{step}.")
    if model is ClientFile:
        for child, place in ELSEWHERE.items():
            if place:
                yield from keys(child, f"{place}.")


def _is_named_or_written_out(kind: Any) -> bool:
    """Whether a text may stand where a model may: the name of a scheme instead of the scheme."""
    return get_origin(kind) in (Union, UnionType) and str in get_args(kind)


def _models(kind: Any, step: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """The models inside a type, each with the step that leads to it."""
    origin, inner = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        discriminator = kind.model_fields.get("kind")
        named = get_args(discriminator.annotation) if discriminator else ()
        is_variant = discriminator is not None and get_origin(discriminator.annotation) is Literal and len(named) == 1
        variant = f" ({named[0]})" if is_variant else ""
        yield step + variant, kind
    elif origin in (Union, UnionType, Annotated):
        for each in inner:
            yield from _models(each, step)
    elif origin in (list, tuple):
        yield from _models(inner[0], step + "[]")
    elif origin is dict:
        yield from _models(inner[1], step + ".<name>")


def _allowed(field: FieldInfo) -> str:
    bounds = [f"{sign} {limit:g}" for sign, limit in _limits(field)]
    return " ".join([_kind(field.annotation), *bounds])


def _limits(field: FieldInfo) -> Iterator[tuple[str, float]]:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    for constraint in field.metadata:
        for name, sign in signs.items():
            if (limit := getattr(constraint, name, None)) is not None:
                yield sign, limit


def _kind(kind: Any) -> str:
    """A type in words."""
    if get_origin(kind) is Annotated:
        return _kind(get_args(kind)[0])
    words: dict[Any, str] = {
        FilesSource: "a source",
        DatabaseSource: "",
        CanonicalSource: "",
        str: "text",
        int: "whole number",
        float: "number",
        bool: "true or false",
        type(None): "",
    }
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in inner)
    if origin in (Union, UnionType):
        return " or ".join(word for one in inner if (word := _kind(one)))
    if origin in (list, tuple):
        return f"list of {_kind(inner[0])}"
    if origin is dict:
        return f"mapping of {_kind(inner[0])} to {_kind(inner[1])}"
    return words[kind] if kind in words else ELSEWHERE.get(kind) or getattr(kind, "__name__", str(kind)).lower()


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.default
    if default in (None, PydanticUndefined, "", [], {}, ()):
        return "–"
    return f"`{json.dumps(default)}`" if isinstance(default, bool) else f"`{default}`"


def _table(head: tuple[str, ...] | list[str], rows: Any) -> str:
    lines = [list(head), ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _code(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)
