"""What stands beside the verdicts and decides none: the whole map, how far effects can be believed, for whom they hold.

Every part is a table by itself, made of the same numbers as the verdicts: the KPIs as they were on file in time. Only
the weeks are those of the whole record.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kpi_research.evidence.attrition import GONE_AT_ONCE, STAYED
from kpi_research.evidence.fixed_effects import Codes, FloatArray
from kpi_research.evidence.grid import Grid, grid_of
from kpi_research.evidence.heterogeneity import Grouping
from kpi_research.evidence.outcome import outcome_of
from kpi_research.evidence.screen import SCREEN_COLUMNS, screen
from kpi_research.evidence.segments import COLUMNS as SEGMENT_COLUMNS
from kpi_research.evidence.segments import SIMPSON_COLUMNS, segments
from kpi_research.evidence.trust import COLUMNS as TRUST_COLUMNS
from kpi_research.evidence.trust import Weekly, trust

PARTS = ("screen", "trust", "segments", "simpson")


@dataclass(frozen=True)
class Known:
    """What is known beside the panel of its people and weeks.

    Parameters
    ----------
    left
        Person -> name of the last period worked whole, of those who left; empty where there was none in the panel.
        None where it is not known who left.
    weekly
        The panel by stretches of a week, named `<period>/<number>`, of KPIs that add up; None for no such rows.
    kinds
        Kind of group (`team`, `role`, ...) -> a frame of `entity_id, group`, and `period` where people change groups.
    """

    left: Mapping[str, str] | None = None
    weekly: pd.DataFrame | None = None
    kinds: Mapping[str, pd.DataFrame] = field(default_factory=dict)


NOTHING_KNOWN = Known()


@dataclass(frozen=True)
class Beside:
    """The tables: `screen.screen`, `trust.trust`, and the two of `segments.segments`; empty where not asked for."""

    screen: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*SCREEN_COLUMNS]))
    trust: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*TRUST_COLUMNS]))
    segments: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*SEGMENT_COLUMNS]))
    simpson: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*SIMPSON_COLUMNS]))


def beside(
    grid: Grid,
    outcome: str,
    kpis: Mapping[str, FloatArray],
    going: Collection[str],
    lags: int,
    known: Known,
    peers: Codes | None = None,
) -> Beside:
    """Make the tables.

    Parameters
    ----------
    kpis
        The family: those that were tested, none mechanical, none twice; N x T each.
    going
        Those of them that go with the outcome.
    peers
        N codes of those whose periods share an effect in the map (`peers.peers_of`).
    """
    if not kpis:
        return Beside()
    y = grid.values[outcome]
    kinds = {kind: _grouping(grid, groups) for kind, groups in known.kinds.items()}
    by_group, views = segments(y, {kpi: kpis[kpi] for kpi in going}, lags, kinds, n_tested=len(kpis))
    return Beside(
        screen(outcome_of(y).tested, kpis, lags, peers=peers),
        trust(y, kpis, lags, _left(grid, known.left), _weeks(grid, known.weekly)),
        by_group,
        views,
    )


def _left(grid: Grid, left: Mapping[str, str] | None) -> Codes | None:
    """Of each person the index of the last period worked whole, or who stayed or left before there was one."""
    if left is None:
        return None
    place = {period: index for index, period in enumerate(grid.periods)}
    found = [place.get(left[person], GONE_AT_ONCE) if person in left else STAYED for person in grid.people]
    return np.array(found, dtype=np.intp)


def _weeks(grid: Grid, weekly: pd.DataFrame | None) -> Weekly | None:
    if weekly is None or weekly.empty:
        return None
    by_week = grid_of(weekly)
    place = {period: index for index, period in enumerate(grid.periods)}
    codes = np.array([place.get(name.rsplit("/", 1)[0], -1) for name in by_week.periods], dtype=np.intp)
    rows = pd.Index(by_week.people).get_indexer(grid.people)
    # weeks of periods that are in the study: neither the first of a new person nor those that somebody mostly missed
    known = (rows >= 0)[:, None] & (codes >= 0) & grid.active[:, codes]
    values = {kpi: np.where(known, x[rows], np.nan) for kpi, x in by_week.values.items()}
    return Weekly(values, codes)


def _grouping(grid: Grid, groups: pd.DataFrame) -> Grouping:
    names = sorted(groups["group"].dropna().unique())
    code = groups["group"].map({name: index for index, name in enumerate(names)}).fillna(-1).astype(int)
    rows = pd.Index(grid.people).get_indexer(groups["entity_id"])
    if "period" not in groups:
        codes = np.full(len(grid.people), -1, dtype=np.intp)
        codes[rows[rows >= 0]] = code.to_numpy()[rows >= 0]
        return Grouping(codes, tuple(names))
    columns = pd.Index(grid.periods).get_indexer(groups["period"])
    known = (rows >= 0) & (columns >= 0)
    by_period = np.full((len(grid.people), len(grid.periods)), -1, dtype=np.intp)
    by_period[rows[known], columns[known]] = code.to_numpy()[known]
    return Grouping(by_period, tuple(names))
