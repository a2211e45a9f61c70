"""Who is in a simulated world: when people come and go, who is in which team, and what a team has in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kpi_research.errors import InputError, Problem
from kpi_research.evidence.fixed_effects import TOLERANCE, Codes, FloatArray, within
from kpi_research.evidence.grid import Grid, rows_of

USUAL_SIZE = 7
"""People of a team where nobody knows."""

TEAM_SHARE = 0.3
"""What the people of a team have in common where nobody knows."""

LEAST_TEAMS = 3
"""So many teams, of two or more, has a world that is about teams: one alone shares its ups and downs with everybody."""


def team_codes(sizes: Sequence[int], people: int) -> Codes:
    """Team of each of N people, the largest team first; -1 for those whom the teams leave over."""
    codes = np.repeat(np.arange(len(sizes)), sorted(sizes, reverse=True))[:people]
    return np.append(codes, np.full(people - len(codes), -1))


def divided(people: int) -> tuple[int, ...]:
    """Teams of about the usual size, all people in one."""
    teams = max(1, round(people / USUAL_SIZE))
    return tuple(len(part) for part in np.array_split(np.arange(people), teams))


def teams_of(grid: Grid, teams: Mapping[str, str]) -> tuple[tuple[int, ...], float]:
    """How many people each team has, largest first, and the median over all KPIs of what a team has in common.

    That is NaN where it cannot be measured: in teams of one, in one team of all, or where nobody is in any.
    """
    names = sorted({*teams.values()})
    there = {grid.people[place] for place in np.flatnonzero(grid.active.any(axis=1))}
    codes = np.array([names.index(teams[who]) if who in teams and who in there else -1 for who in grid.people])
    sizes = np.bincount(codes[codes >= 0])
    found = median_known([in_common(values, codes) for values in grid.values.values()], np.nan)
    return tuple(sorted((int(size) for size in sizes if size), reverse=True)), found


def in_common(values: FloatArray, codes: Codes) -> float:
    """Share of the variance beyond person and period effects that a team has in common; NaN without pairs of a team.

    Parameters
    ----------
    values, codes
        N x T, and the N codes of teams, -1 for none.

    Notes
    -----
    From the products of two people of a team in a period, beside the squares, as moments of s: taking off the mean of
    N people leaves products of s - 2 (1 + (n - 1) s) / N + v for a team of n, and squares larger by 1 - s, with
    v = (1 + s sum n (n - 1) / N) / N.
    """
    people = np.broadcast_to(np.arange(len(values), dtype=float)[:, None], values.shape)
    rows = rows_of(values, people)
    left, there = np.zeros(values.shape), np.zeros(values.shape)
    place = rows.X[:, 0].astype(np.intp), rows.period
    left[place], there[place] = within(rows.y, rows.person, rows.period), 1.0
    members = [codes == team for team in np.unique(codes[codes >= 0])]
    counts = np.array([there[own].sum(axis=0) for own in members])
    pairs = np.sum(counts * (counts - 1))
    squares = np.sum(left**2)
    if not pairs or not squares:
        return np.nan
    products = sum(np.sum(left[own].sum(axis=0) ** 2) - np.sum(left[own] ** 2) for own in members)
    ratio = products / pairs / (squares / there.sum())
    n = np.array([own.sum() for own in members], dtype=float)
    N = rows.n_people
    overlap = np.sum(n * (n - 1)) / N
    of_pairs = 1 - (2 * np.average(n - 1, weights=n * (n - 1)) - overlap) / N
    weight = of_pairs * N + ratio * overlap
    # one team of everybody: what it has in common is the period's
    return float((ratio * (N - 1) + 1) / weight) if weight > TOLERANCE else np.nan


def attendance(grid: Grid, result: FloatArray, kpis: list[FloatArray]) -> tuple[float, float, float]:
    """Shares of people who come late and who go early, and of their person-periods that a KPI's regression lacks."""
    active = grid.active[grid.active.any(axis=1)][:, grid.active.any(axis=0)]
    latest = active.shape[1] - 1
    first, last = active.argmax(axis=1), latest - active[:, ::-1].argmax(axis=1)
    there = int((last - first + 1).sum())
    usable = [float((np.isfinite(x) & np.isfinite(result)).sum()) / there for x in kpis]
    return float((first > 0).mean()), float((last < latest).mean()), 1 - median_known(usable, 1.0)


def median_known(found: list[float], otherwise: float) -> float:
    """The median of those that are known; `otherwise` if none is."""
    known = [value for value in found if np.isfinite(value)]
    return float(np.median(known)) if known else otherwise


def need_teams(sizes: Sequence[int]) -> None:
    """Raise an InputError where there are too few teams for a world that is about them."""
    shared = sum(size > 1 for size in sizes)
    if shared < LEAST_TEAMS:
        raise InputError(Problem("bench.few_teams", values={"teams": shared, "least": LEAST_TEAMS}))
