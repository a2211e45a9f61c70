"""Worlds of which it is known what works: simulated panels to try the study on before it is believed.

In every world one KPI drives the result and the others do not, each for a reason of its own (`Truth`). How results and
KPIs come about stands in `simulate`; here is who is there, at what size, and what is handed to the study.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from kpi_research.errors import InputError, Problem
from kpi_research.evidence.fixed_effects import FloatArray, NotEstimableError, fit
from kpi_research.evidence.grid import after_burn_in, grid_of, lagged, rows_of
from kpi_research.evidence.plan import DEFAULT_PLAN, Plan
from kpi_research.evidence.simulate import DEMAND_LOADING, DEMAND_RHO, ERROR_SD, simulate
from kpi_research.evidence.staff import TEAM_SHARE, attendance, divided, median_known, need_teams, team_codes, teams_of

Kind = Literal["published", "heavy", "movers", "spread", "proxy_alias", "teams"]
"""What kind of world: DGP-1; money with heavy tails and many zeros; people who come and go; an effect that is spread
over three lags and differs by person; a proxy and a copy beside the driver; months that teams have in common, and a KPI
that works in one team only."""

Truth = Literal[
    "driver", "proxy", "alias", "talent_season", "noise", "feedback", "demand", "mechanical", "back_dated", "one_team"
]  # fmt: skip
"""What a KPI truly is.

driver
    The result of later periods rises with it.
proxy
    It does nothing itself but shows the driver with noise.
alias
    The driver's own values under a second name.
talent_season
    Able people have more of it, and so have good months; it does nothing.
noise
    It has nothing to do with anything.
feedback
    It rises after a good result; it does nothing.
demand
    It is higher where and while demand is; it does nothing.
mechanical
    It is made of the records that make the result.
back_dated
    It does nothing, but wins are followed by entries that are dated before them.
one_team
    The result rises with it in the largest team, and nowhere else.
"""

KINDS: tuple[Kind, ...] = get_args(Kind)
TRUTHS: tuple[Truth, ...] = get_args(Truth)
OUTCOME = "revenue"
LINEAGE = ("mechanical",)
BESIDE_NOISE: dict[Kind, int] = {"published": 6, "heavy": 6, "movers": 6, "spread": 6, "proxy_alias": 8, "teams": 7}
"""How many KPIs a world has that are not noise."""

LEAST_PEOPLE, LEAST_PERIODS = 2, 4
"""With fewer there is nothing to simulate."""

_RANGES: dict[str, tuple[float, float]] = {
    "people": (LEAST_PEOPLE, 100_000),
    "periods": (LEAST_PERIODS, 10_000),
    "beta": (-10, 10),
    "noise": (1, 1000),
    "kpi_rho": (-0.95, 0.95),
    "noise_rho": (-0.95, 0.95),
    "error_rho": (-0.95, 0.95),
    "missing": (0, 0.9),
    "joiners": (0, 1),
    "leavers": (0, 1),
    "team_share": (0, 0.9),
}


@dataclass(frozen=True)
class World:
    """A world to draw panels from.

    Parameters
    ----------
    beta
        Rise of the result, in units of about one standard deviation within a person, for one unit of the driver, summed
        over its lags; in `heavy` the rise of log expected deals, times 2.5.
    noise
        How many KPIs are noise.
    kpi_rho, noise_rho, error_rho
        Autocorrelation, from one period to the next, of what is a KPI's own, of noise, and of the result's error.
    missing
        Share of person-periods between a person's first and last one without any record.
    joiners, leavers
        Share of people who come after the first period, and who go before the last. In `movers` people go after their
        worst result, elsewhere at random.
    recorded
        Whether records say when they were made; without that nothing was on file for sure, and C is the best letter.
    teams
        How many people each team has; without any nobody is in one, but for the world `teams` (see `sizes`).
    team_share
        Share of what moves a KPI or the result from period to period that the people of a team have in common.

    Raises
    ------
    InputError
        If a value is out of its range; all of them at once.
    """

    kind: Kind = "published"
    people: int = 40
    periods: int = 24
    beta: float = 0.15
    noise: int = 13
    kpi_rho: float = 0.4
    noise_rho: float = 0.0
    error_rho: float = 0.0
    missing: float = 0.0
    joiners: float = 0.0
    leavers: float = 0.0
    recorded: bool = True
    teams: tuple[int, ...] = ()
    team_share: float = 0.0

    def __post_init__(self) -> None:
        problems = [
            Problem("bench.out_of_range", values={"name": name, "low": low, "high": high, "given": getattr(self, name)})
            for name, (low, high) in _RANGES.items()
            if not low <= getattr(self, name) <= high
        ]
        if self.kind not in KINDS:
            problems.append(Problem("bench.no_such_world", values={"given": self.kind}, given=self.kind, allowed=KINDS))
        if sum(self.teams) > self.people or min(self.teams, default=1) < 1:
            problems.append(Problem("bench.no_such_teams", values={"people": self.people, "teams": len(self.teams)}))
        if problems:
            raise InputError(problems)

    @property
    def sizes(self) -> tuple[int, ...]:
        """People of each team; in the world `teams`, where nothing is said, of teams of about seven."""
        return divided(self.people) if self.kind == "teams" and not self.teams else self.teams

    @classmethod
    def like(
        cls,
        panel: pd.DataFrame,
        *,
        outcome: str,
        kind: Kind = "published",
        teams: Mapping[str, str] | None = None,
        plan: Plan = DEFAULT_PLAN,
    ) -> World:
        """A world with a client's own people, periods, number of KPIs, missing records, autocorrelations and teams.

        Autocorrelations are those beyond person and period effects, the median over the KPIs, and the error's such that
        the result comes out with the client's; without enough rows to measure them they are those of the world.

        Parameters
        ----------
        panel, teams
            As for `study`. Teams count where it can be measured what they have in common: the median over all KPIs.
        plan
            Of the study: without the burn-in, in which everything grows, autocorrelations are those of its rows.

        Raises
        ------
        InputError
            If a column or the outcome is missing, a row is repeated, or people, periods or, for `teams`, teams are few.
        """
        grid = grid_of(panel)
        if outcome not in grid.values:
            raise InputError(Problem("study.unknown_outcome", "", {"given": outcome}, outcome, sorted(grid.values)))
        people, periods = (int(grid.active.any(axis=axis).sum()) for axis in (1, 0))
        if people < LEAST_PEOPLE or periods < LEAST_PERIODS:
            least = {"least_people": LEAST_PEOPLE, "least_periods": LEAST_PERIODS}
            raise InputError(Problem("bench.too_little", values={"people": people, "periods": periods, **least}))
        usual = worlds(kind)
        kpis = [values for kpi, values in grid.values.items() if kpi != outcome]
        joiners, leavers, missing = attendance(grid, grid.values[outcome], kpis)
        settled = {kpi: autocorrelation(x) for kpi, x in after_burn_in(grid, plan.burn_in).values.items()}
        result_rho = settled.pop(outcome)
        kpi_rho = median_known([*settled.values()], usual.kpi_rho)
        sizes, common = teams_of(grid, teams or {})
        if kind == "teams":
            need_teams(sizes or divided(people))
        return replace(
            usual,
            people=people,
            periods=periods,
            noise=max(1, len(kpis) - BESIDE_NOISE[kind]),
            kpi_rho=kpi_rho,
            noise_rho=kpi_rho,
            error_rho=usual.error_rho if np.isnan(result_rho) else _error_rho(result_rho),
            missing=min(missing, _RANGES["missing"][1]),
            joiners=joiners,
            leavers=leavers,
            teams=() if np.isnan(common) else sizes,
            team_share=usual.team_share if np.isnan(common) else float(np.clip(common, *_RANGES["team_share"])),
        )


@dataclass(frozen=True)
class Drawn:
    """One panel of a world, in the form `study` takes, and what is true of it.

    Parameters
    ----------
    panel, asof
        Long, with the columns of `grid.COLUMNS`: everything that is known in the end, and what was on file at the end
        of each period, None where records do not say. Person-periods that are missing have no rows.
    truth
        By KPI what it truly is.
    lineage
        KPIs that share records with the outcome.
    teams
        Team of each person who is in one.
    """

    panel: pd.DataFrame
    asof: pd.DataFrame | None
    truth: Mapping[str, Truth]
    lineage: tuple[str, ...] = LINEAGE
    outcome: str = OUTCOME
    teams: Mapping[str, str] = field(default_factory=dict)


def worlds(kind: Kind) -> World:
    """The world of a kind at the size and with the effect of section 0, where nothing else is said."""
    if kind == "teams":
        return World(kind, team_share=TEAM_SHARE)
    if kind == "movers":
        return World(kind, missing=0.05, joiners=0.3, leavers=0.3)
    return World(kind, beta=0.5) if kind == "heavy" else World(kind)


def draw(world: World, rng: np.random.Generator) -> Drawn:
    """One panel of `world`."""
    made = simulate(world, rng)
    present = _present(world, rng, made.result)
    end = {OUTCOME: made.result, **made.kpis}
    truth = {kpi: truth_of(kpi) for kpi in made.kpis}
    asof = _long({**end, **made.on_file}, present) if world.recorded else None
    codes = team_codes(world.sizes, world.people)
    teams = {person_of(number): f"team_{code:03d}" for number, code in enumerate(codes) if code >= 0}
    return Drawn(_long(end, present), asof, truth, teams=teams)


def truth_of(kpi: str) -> Truth:
    """What a world's KPI of this name truly is."""
    return next(truth for truth in TRUTHS if kpi.startswith(truth))


def person_of(number: int) -> str:
    """The name of one of a world's people."""
    return f"person_{number:05d}"


def _present(world: World, rng: np.random.Generator, result: FloatArray) -> npt.NDArray[np.bool_]:
    """N x T: who is there when. Joiners come in the first half, leavers go in the second."""
    people, periods = result.shape
    half, at = periods // 2, np.arange(periods)
    first = np.where(rng.random(people) < world.joiners, rng.integers(1, half + 1, people), 0)
    gone = (
        half + np.argmin(result[:, half:-1], axis=1)
        if world.kind == "movers"
        else rng.integers(half, periods - 1, people)
    )
    last = np.where(rng.random(people) < world.leavers, gone, periods - 1)
    hole = (rng.random(result.shape) < world.missing) & (at > first[:, None]) & (at < last[:, None])
    return (at >= first[:, None]) & (at <= last[:, None]) & ~hole


def _long(values: Mapping[str, FloatArray], present: npt.NDArray[np.bool_]) -> pd.DataFrame:
    person, period = np.nonzero(present)
    people = np.array([person_of(number) for number in range(present.shape[0])], dtype=object)
    months = np.array([f"{2000 + t // 12}-{t % 12 + 1:02d}" for t in range(present.shape[1])], dtype=object)
    return pd.DataFrame(
        {
            "level": "person",
            "entity_id": np.tile(people[person], len(values)),
            "period": np.tile(months[period], len(values)),
            "kpi": np.repeat(np.array(list(values), dtype=object), len(person)),
            "value": np.concatenate([each[present] for each in values.values()]),
            "status": "ok",
        }
    )


def autocorrelation(values: FloatArray) -> float:
    """From one period to the next beyond person and period effects, values N x T; NaN if it cannot be estimated.

    The within estimate lies (1 + rho) / (T - 1) too low with T rows a person (Nickell 1981); that is put right.
    """
    rows = rows_of(values, lagged(values, 1))
    each = len(rows.y) / max(1, rows.n_people)
    if each <= 2:
        return np.nan
    try:
        within = fit(rows.y, rows.X, person=rows.person, period=rows.period).at(0).value
    except NotEstimableError:
        return np.nan
    return float(np.clip((within * (each - 1) + 1) / (each - 2), -0.95, 0.95))


def _error_rho(result_rho: float) -> float:
    """The error's autocorrelation with which the result has `result_rho`; demand has its own."""
    demand, error = DEMAND_LOADING**2, ERROR_SD**2
    return float(np.clip((result_rho * (demand + error) - DEMAND_RHO * demand) / error, -0.95, 0.95))
