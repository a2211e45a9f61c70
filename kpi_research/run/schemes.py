"""A client's scheme held to its rules, with all that its data say: targets, past figures, verdicts, people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from kpi_research.appraisal.lint import REMARK_COLUMNS, lint
from kpi_research.appraisal.mend import as_mended_frame
from kpi_research.appraisal.rules import Business, Checked, PayTerms
from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.versions import SchemeVersion, Window
from kpi_research.errors import InputError, Problem
from kpi_research.panel import panel
from kpi_research.periods import Period, as_intervals
from kpi_research.run.appraised import differences, season_before
from kpi_research.run.client import Client
from kpi_research.run.scores import not_kept
from kpi_research.run.studies import study_of

A_YEAR = pd.DateOffset(years=1)
LINT_COLUMNS = ["scheme", *REMARK_COLUMNS]


@dataclass(frozen=True)
class Supplied:
    """What a client's data do not say, as far as it is known from elsewhere; see `appraisal.rules.Checked`.

    Parameters
    ----------
    versions
        Schemes with the days they hold from, templates read (see `resolved`).
    """

    versions: Sequence[SchemeVersion] = ()
    window: Window | None = None
    attainability: pd.DataFrame | None = None
    goals: Mapping[str, Collection[str]] | None = None
    business: Business | None = None
    pay: PayTerms | None = None


NOTHING_SUPPLIED = Supplied()


def supplied_by(client: Client) -> Supplied:
    """What the client file itself says beyond its scheme."""
    settings = client.settings
    goals = {goal.name: (goal.measure, *goal.indicators) for goal in settings.goals} or None
    return Supplied(
        versions=client.versions,
        window=settings.window if settings.schemes else None,
        goals=goals,
        business=settings.business,
    )


def lint_client(
    client: Client,
    *,
    period: str | Period | None = None,
    strict: bool = False,
    supplied: Supplied = NOTHING_SUPPLIED,
) -> pd.DataFrame:
    """What the rules have to say of a client's scheme, or of each of its schemes that hold in a period.

    Parameters
    ----------
    period
        The quarter whose targets are looked at; what the study of the data up to its end says of the KPIs is then held
        against the scheme. Without one the latest targets count, and no study is made.
    strict
        Warnings count as errors.

    Returns
    -------
    One row a remark, gravest first within a scheme: `scheme, rule, severity` (`error`, `warning`, `note` or
    `not_checked`), `subject, sentence_zh, sentence_en, mend_zh, mend_en, source_zh, source_en`. What weights can mend
    is mended by one proposal, which stands with the first of those rows.

    Raises
    ------
    InputError
        If the client has no scheme, or the period is unknown.
    """
    known = client.known_period(period) if isinstance(period, str) else period
    day = known.start if known else client.data.parts.until
    schemes = [client.scheme] if client.scheme else _holding(supplied.versions, day)
    if not schemes:
        raise InputError(Problem("client.no_scheme", client.path.name))
    letters = _letters(client, known) if known else None
    frames = []
    for scheme in schemes:
        checked = replace(_checked(client, scheme, known, supplied, day), letters=letters)
        frames.append(as_mended_frame(checked, lint(checked, strict=strict)).assign(scheme=scheme.name))
    return pd.concat(frames, ignore_index=True)[LINT_COLUMNS]


def _checked(client: Client, scheme: Scheme, period: Period | None, supplied: Supplied, day: dt.date) -> Checked:
    last = period or client.reported_quarters()[-1]
    return Checked(
        scheme,
        client.kpis,
        previous=_before(supplied.versions, scheme, day),
        period=period.name if period else "",
        day=day,
        tables=client.data.parts.tables,
        targets=client.data.targets,
        ratings=client.data.ratings,
        not_kept=not_kept(client, scheme.kpis, last),
        not_of_late=not_kept(client, scheme.kpis, last, since=pd.Timestamp(last.end) - A_YEAR),
        history=_history(client, scheme, period),
        attainability=supplied.attainability,
        goals=supplied.goals,
        versions=supplied.versions or None,
        window=supplied.window,
        fiscal_year_starts=client.settings.fiscal_year_starts,
        business=supplied.business,
        differences=differences(client, day),
        season=season_before(client, day),
        pay=supplied.pay,
    )


def _letters(client: Client, period: Period) -> dict[str, str]:
    verdicts = study_of(client, period).verdicts
    return dict(zip(verdicts["kpi"], verdicts["code"], strict=True))


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
