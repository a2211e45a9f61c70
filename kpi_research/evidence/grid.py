"""The long panel as one person x period array a KPI, and the rows that a regression can use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from kpi_research.errors import InputError, Problem
from kpi_research.evidence.fixed_effects import Codes, FloatArray, within

KEY = ["entity_id", "period", "kpi"]
COLUMNS = ["level", *KEY, "value", "status"]
LEAST_DAYS = 0.5
"""Share of a period's working days, those of whoever worked most, under which a person's period is no period."""


@dataclass(frozen=True)
class Grid:
    """Every KPI of every person in every period.

    Parameters
    ----------
    periods
        T names in order; neighbours here are consecutive.
    values
        By KPI an N x T array in the KPI's natural unit; NaN where it has no value.
    active
        N x T: whether a person has any KPI in a period, so that a value of every KPI is to be expected.
    """

    people: tuple[str, ...]
    periods: tuple[str, ...]
    values: Mapping[str, FloatArray]
    active: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """The n person-periods of a regression.

    Parameters
    ----------
    y, X
        n, and n x k.
    person, period
        n codes of the persons, and of the periods that have an effect of their own: every group of peers has its own.
    n_periods
        Periods that contribute.
    """

    y: FloatArray
    X: FloatArray
    person: Codes
    period: Codes
    n_periods: int

    @property
    def n_people(self) -> int:
        """Persons that contribute."""
        return int(self.person.max(initial=-1)) + 1


def grid_of(panel: pd.DataFrame) -> Grid:
    """The person level of a panel as arrays, per full period; only values with status `ok` count.

    Parameters
    ----------
    panel
        Long, with `COLUMNS`. Two more columns say how much of a period a person was there for: `working_days`, and
        `additive`, whether a row's KPI is a sum over days: False also for sums that come in whether or not somebody
        is there. Without the first every period counts as full, without the second nothing is scaled.

    Raises
    ------
    InputError
        If a column is missing, or a person has two rows for a KPI and a period.
    """
    if missing := [column for column in COLUMNS if column not in panel.columns]:
        raise InputError(Problem("study.missing_columns", values={"columns": ", ".join(missing)}))
    rows = panel[panel["level"].isin(["person"])]
    if "working_days" in rows.columns:
        rows = _per_full_period(rows)
    if (twice := rows.duplicated(KEY)).any():
        first = ", ".join(str(part) for part in rows.loc[twice, KEY].iloc[0])
        raise InputError(Problem("study.duplicate_rows", values={"count": int(twice.sum()), "first": first}))
    people, periods, names = (pd.Index(sorted(rows[column].unique())) for column in KEY)
    cube = np.full((len(names), len(people), len(periods)), np.nan)
    where = names.get_indexer(rows["kpi"]), people.get_indexer(rows["entity_id"]), periods.get_indexer(rows["period"])
    value = rows["value"].to_numpy(dtype=float, na_value=np.nan)
    cube[where] = np.where(rows["status"].isin(["ok"]) & np.isfinite(value), value, np.nan)
    return Grid(tuple(people), tuple(periods), dict(zip(names, cube, strict=True)), np.isfinite(cube).any(axis=0))


def _per_full_period(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of periods of which a person worked at least half of the days (`LEAST_DAYS`), sums as if it had been all.

    Who works as always on 12 of 21 days does and sells 12/21 of the usual: sums move with the days, and together they
    look like a link. Per day they are the same whatever the days, and so is the mean of value x (days of whoever worked
    most in that period / own days). A ratio, a median, a number of different things, or what stands at a period's end
    stays as it is; a share of a target still grows with the days where the target is not cut to them. Periods with
    fewer than half of their days are left out: who had left, or was not there yet, did and sold nothing, and of a few
    days a value per full period is mostly chance.
    """
    days = rows["working_days"].astype(float)
    most = days.groupby(rows["period"]).transform("max")
    # days that are not known are not few
    enough = ~(days.le(0) | (days < LEAST_DAYS * most))
    rows, part = rows[enough], (days / most)[enough].fillna(1.0)
    if "additive" not in rows.columns:
        return rows
    return rows.assign(value=rows["value"].astype(float) / part.where(rows["additive"].isin([True]), 1.0))


def after_burn_in(grid: Grid, periods: int) -> Grid:
    """The grid without everybody's first `periods` periods, but for those who were there from the first one on.

    What new people do and sell grows together while they learn, which person and period effects do not take out. Who
    is new is told by the grid alone: whoever has no value in the first period in which anybody has one. Those who are
    there then may have come the day before; a later gap makes nobody new again.
    """
    if not grid.active.any():
        return grid
    first, begin = grid.active.argmax(axis=1), grid.active.any(axis=0).argmax()
    is_new = (first > begin)[:, None] & (np.arange(len(grid.periods)) < first[:, None] + periods)
    values = {kpi: np.where(is_new, np.nan, x) for kpi, x in grid.values.items()}
    return Grid(grid.people, grid.periods, values, grid.active & ~is_new)


def placed(values: FloatArray, given: Grid, wanted: Grid) -> FloatArray:
    """Values of one grid's persons and periods at those of another; NaN where it has none."""
    moved = np.full((len(wanted.people), len(wanted.periods)), np.nan)
    rows, columns = (pd.Index(old).get_indexer(new) for old, new in (
        (given.people, wanted.people), (given.periods, wanted.periods),
    ))  # fmt: skip
    found = np.ix_(rows >= 0, columns >= 0)
    moved[found] = values[np.ix_(rows[rows >= 0], columns[columns >= 0])]
    return moved


def late_shares(full: pd.DataFrame, then: pd.DataFrame, grid: Grid) -> dict[str, float]:
    """By KPI, the share of the rows behind a full panel's values that were not on file at their period's end.

    Counted by `n`, over the persons and periods of a grid with a value in the full panel; nothing where a panel has no
    `n`.
    """
    if "n" not in full.columns or "n" not in then.columns:
        return {}
    who, when = np.nonzero(grid.active)
    used = pd.DataFrame({"entity_id": np.array(grid.people)[who], "period": np.array(grid.periods)[when]})
    known = full.loc[full["level"].isin(["person"]) & full["status"].isin(["ok"]), [*KEY, "n"]].merge(used)
    both = known.merge(
        then.loc[then["level"].isin(["person"]), [*KEY, "n"]], how="left", on=KEY, suffixes=("", "_then")
    )
    both = both[both["kpi"].isin(then["kpi"].unique())].fillna({"n_then": 0.0})
    sums = both.groupby("kpi")[["n", "n_then"]].sum()
    sums = sums[sums["n"] > 0]
    return dict(zip(sums.index, (1 - sums["n_then"] / sums["n"]).clip(lower=0.0), strict=True))


def lagged(values: FloatArray, periods: int) -> FloatArray:
    """What stood `periods` earlier (later when negative), N x T; NaN where the panel does not reach."""
    moved = np.full_like(values, np.nan)
    length = values.shape[1]
    moved[:, max(0, periods) : length + min(0, periods)] = values[:, max(0, -periods) : length - max(0, periods)]
    return moved


def rows_of(y: FloatArray, *regressors: FloatArray, peers: Codes | None = None) -> Rows:
    """The cells where outcome and all regressors (N x T each) have a value.

    Persons and periods with a single row are left out, again and again until none is left: they say nothing beyond
    their own effect, and would only be counted as clusters (Correia 2015).

    Parameters
    ----------
    peers
        N codes 0, 1, 2 ... of those whose periods share an effect (`peers.peers_of`); everybody's do if None.
    """
    usable = np.all([np.isfinite(values) for values in (y, *regressors)], axis=0)
    before = -1
    while usable.sum() != before:
        before = usable.sum()
        usable &= (usable.sum(axis=1, keepdims=True) > 1) & (with_peers(usable, peers) > 1)
    person, period = coded(usable, peers)
    X = np.column_stack([values[usable] for values in regressors]) if regressors else np.empty((len(person), 0))
    return Rows(y[usable], X, person, period, int(usable.any(axis=0).sum()))


def with_peers(usable: npt.NDArray[np.bool_], peers: Codes | None) -> npt.NDArray[np.intp]:
    """Of each cell (N x T) in how many of the period's usable cells the person's peers are, the person included."""
    if peers is None:
        return np.broadcast_to(usable.sum(axis=0), usable.shape)
    counts = np.zeros((int(peers.max(initial=-1)) + 1, usable.shape[1]), dtype=np.intp)
    np.add.at(counts, peers, usable)
    return counts[peers]


def coded(usable: npt.NDArray[np.bool_], peers: Codes | None) -> tuple[Codes, Codes]:
    """Codes without gaps of person and period of the usable cells (N x T); every group of peers has its own periods."""
    who, when = np.nonzero(usable)
    place = when if peers is None else peers[who] * usable.shape[1] + when
    person, period = (np.unique(codes, return_inverse=True)[1] for codes in (who, place))
    return person, period


def within_spread(rows: Rows) -> tuple[float, float]:
    """Standard deviation of y beyond person and period effects, and the share of its variance that lies there."""
    total = float(np.var(rows.y)) if len(rows.y) else 0.0
    if total <= np.finfo(float).eps * float(np.mean(rows.y**2) if len(rows.y) else 0.0):
        return 0.0, 0.0
    left = float(np.mean(within(rows.y, rows.person, rows.period) ** 2))
    return float(np.sqrt(left)), left / total
