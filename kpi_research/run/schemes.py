"""A client's scheme held to its rules, with all that its data say: targets, past figures, verdicts, roles."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from kpi_research.appraisal.lint import REMARK_COLUMNS, as_frame, lint
from kpi_research.appraisal.rules import Business, Checked, PayTerms
from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.versions import SchemeVersion, Window
from kpi_research.errors import InputError, Problem
from kpi_research.panel import panel
from kpi_research.periods import Period, as_intervals
from kpi_research.run.client import Client
from kpi_research.run.settings import read_scheme
from kpi_research.run.studies import study_of

LINT_COLUMNS = ["scheme", *REMARK_COLUMNS]


def lint_client(
    client: Client,
    *,
    period: str | Period | None = None,
    strict: bool = False,
    versions: Sequence[SchemeVersion] = (),
    window: Window | None = None,
    attainability: pd.DataFrame | None = None,
    goals: Mapping[str, Collection[str]] | None = None,
    business: Business | None = None,
    pay: PayTerms | None = None,
) -> pd.DataFrame:
    """What the rules have to say of a client's scheme, or of each of its schemes that hold in a period.

    Parameters
    ----------
    period
        The quarter whose targets are looked at; what the study of the data up to its end says of the KPIs is then held
        against the scheme. Without one the latest targets count, and no study is made.
    strict
        Warnings count as errors.
    versions, window
        The schemes with the days they hold from, resolved (see `resolved`), and when they may change.
    attainability, goals, business, pay
        As in `appraisal.rules.Checked`.

    Returns
    -------
    One row a remark, gravest first within a scheme: `scheme, rule, severity` (`error`, `warning`, `note` or
    `not_checked`), `subject, sentence_zh, sentence_en, mend_zh, mend_en, source_zh, source_en`.

    Raises
    ------
    InputError
        If the client has no scheme, or the period is unknown.
    """
    known = client.known_period(period) if isinstance(period, str) else period
    day = known.start if known else client.data.parts.until
    schemes = [client.scheme] if client.scheme else _holding(versions, day)
    if not schemes:
        raise InputError(Problem("client.no_scheme", client.path.name))
    letters = None
    if known:
        verdicts = study_of(client, known).verdicts
        letters = dict(zip(verdicts["kpi"], verdicts["code"], strict=True))
    frames = []
    for scheme in schemes:
        checked = Checked(
            scheme,
            client.kpis,
            previous=_before(versions, scheme, day),
            period=known.name if known else "",
            day=day,
            tables=client.data.parts.tables,
            targets=client.data.targets,
            ratings=client.data.ratings,
            history=_history(client, scheme, known),
            attainability=attainability,
            letters=letters,
            goals=goals,
            versions=versions or None,
            window=window,
            fiscal_year_starts=client.settings.fiscal_year_starts,
            business=business,
            roles=_roles(client.data.people),
            pay=pay,
        )
        frames.append(as_frame(lint(checked, strict=strict)).assign(scheme=scheme.name))
    return pd.concat(frames, ignore_index=True)[LINT_COLUMNS]


def resolved(versions: Sequence[SchemeVersion], path: Path | None = None) -> tuple[SchemeVersion, ...]:
    """The versions with templates read in place of their names.

    Raises
    ------
    InputError
        For every name that is no template.
    """
    found, problems = [], []
    for version in versions:
        try:
            found.append(version.model_copy(update={"scheme": read_scheme(version.scheme, path)}))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return tuple(found)


def _holding(versions: Sequence[SchemeVersion], day: dt.date) -> list[Scheme]:
    """The schemes that somebody is appraised by on a day: the latest for each kind of people."""
    begun = sorted((each for each in versions if each.effective_from <= day), key=lambda each: each.effective_from)
    latest = {version.applies_to: version.scheme for version in begun}
    return list({scheme.name: scheme for scheme in latest.values() if isinstance(scheme, Scheme)}.values())


def _before(versions: Sequence[SchemeVersion], scheme: Scheme, day: dt.date) -> Scheme | None:
    """The scheme that held before this one for the same people."""
    own = [version for version in versions if version.scheme == scheme and version.effective_from <= day]
    begin = max(own, key=lambda version: version.effective_from, default=None)
    if begin is None:
        return None
    earlier = [
        version
        for version in versions
        if version.applies_to == begin.applies_to and version.effective_from < begin.effective_from
    ]
    latest = max(earlier, key=lambda version: version.effective_from, default=None)
    return latest.scheme if latest and isinstance(latest.scheme, Scheme) else None


def _history(client: Client, scheme: Scheme, upto: Period | None) -> pd.DataFrame | None:
    """Figures of people and teams over periods as long as the scheme's cycle, in which targets were or will be set."""
    periods = [each for each in client.periods(scheme.cycle) if upto is None or each.end <= upto.end]
    if not periods:
        return None
    parts = client.data.parts.only(scheme.kpis)
    return pd.concat([panel(parts, as_intervals(periods), level) for level in ("person", "team")], ignore_index=True)


def _roles(people: pd.DataFrame) -> list[str] | None:
    """The roles of those who have not left; None where nobody's role is known."""
    if people.empty:
        return None
    here = people[people["left_on"].isna()]
    roles = sorted(set(here["role"].dropna()) - {""})
    return roles or None
