"""Results and KPIs of which it is known what works, as arrays.

The world `published` is DGP-1 of the methodology, section 0:

y_it = q_i + s_t + c_t + beta x1_{i,t-1} + .5 d_it + e_it,

talent q ~ N(0, 1), season s = .5 sin(2 pi t / 12), shock c ~ .3 N(0, 1), demand d AR(.7) with variance one, and the
driver x1 = .5 q + s + a. What section 0 leaves open was set so that its table comes out (`bench.naive_table`): a KPI's
own part a is AR(.4) with innovations of one; talent and season is .8 q + 1.5 s + a, feedback .3 y_{t-1} + a,
demand-confounded .5 d + .5 q + white noise, mechanical y + .5 N(0, 1), back-dated .5 q + a + .4 e_{t+1}; noise is
white. Where a world has teams, `team_share` of the variance of demand, error and a KPI's own part is the team's in that
period. The error e has a standard deviation of .97: no cell of the table was then off by more than 3 points in 4,000
panels. With one, four cells of the mechanical and the demand-confounded KPI were off by 3-5 points in 2,000 panels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kpi_research.evidence.fixed_effects import FloatArray
from kpi_research.evidence.staff import team_codes

if TYPE_CHECKING:
    from kpi_research.evidence.worlds import Kind, World

PAST, AHEAD = 4, 1
"""Periods simulated before and after those that are kept: lags and back-dated entries reach there."""

DEMAND_RHO, DEMAND_LOADING = 0.7, 0.5
ERROR_SD = 0.97
KPI_SD = 1 / np.sqrt(1 - 0.4**2)
"""That of an AR(.4) with innovations of one; kept when the autocorrelation is another, so that beta means the same."""


@dataclass(frozen=True)
class Simulated:
    """A world's arrays, draws x N x T or N x T, without gaps.

    Parameters
    ----------
    kpis
        By KPI its values as they are known in the end.
    on_file
        Of the KPIs of which it was less, what was on file at each period's end.
    """

    result: FloatArray
    kpis: Mapping[str, FloatArray]
    on_file: Mapping[str, FloatArray]


def simulate(world: World, rng: np.random.Generator, draws: int | None = None) -> Simulated:
    """The arrays of one draw, N x T, or of many at once, draws x N x T; nobody comes, goes or is missing."""
    ground = _ground(world, rng, () if draws is None else (draws,))
    made = _MAKERS[world.kind](ground, world, rng)
    kept = slice(PAST, PAST + world.periods)
    return Simulated(
        made.result[..., kept],
        {kpi: values[..., kept] for kpi, values in made.kpis.items()},
        {kpi: values[..., kept] for kpi, values in made.on_file.items()},
    )


@dataclass(frozen=True)
class _Ground:
    """What comes before any result: talent (.. N x 1), season (T), shock (.. 1 x T), all else .. N x T."""

    talent: FloatArray
    season: FloatArray
    shock: FloatArray
    demand: FloatArray
    error: FloatArray
    driver: FloatArray

    def result(self, driven: FloatArray) -> FloatArray:
        """The result, with what the driver adds."""
        return self.talent + self.season + self.shock + DEMAND_LOADING * self.demand + self.error + driven


def _ground(world: World, rng: np.random.Generator, leading: tuple[int, ...]) -> _Ground:
    shape = (*leading, world.people, world.periods + PAST + AHEAD)
    talent = rng.standard_normal((*shape[:-1], 1))
    season = 0.5 * np.sin(2 * np.pi * np.arange(-PAST, world.periods + AHEAD) / 12)
    return _Ground(
        talent=talent,
        season=season,
        shock=0.3 * rng.standard_normal((*leading, 1, shape[-1])),
        demand=shared(rng, shape, DEMAND_RHO, world),
        error=ERROR_SD * shared(rng, shape, world.error_rho, world),
        driver=0.5 * talent + season + KPI_SD * shared(rng, shape, world.kpi_rho, world),
    )


def _published(ground: _Ground, world: World, rng: np.random.Generator) -> Simulated:
    result = ground.result(world.beta * _earlier(ground.driver, 1))
    mechanical = result + 0.5 * rng.standard_normal(result.shape)
    return _beside(ground, world, rng, result, mechanical, reacts_to=result, surprise=ground.error)


def _heavy(ground: _Ground, world: World, rng: np.random.Generator) -> Simulated:
    """Deals are counts, none in about half of the months, and what one is worth is lognormal."""
    expected = np.exp(0.4 * ground.result(world.beta * _earlier(ground.driver, 1)) - 0.3)
    deals = rng.poisson(expected).astype(float)
    money = 10_000 * deals * rng.lognormal(0.0, 1.0, deals.shape)
    surprise = (deals - expected) / np.sqrt(expected)
    return _beside(ground, world, rng, money, deals, reacts_to=deals, surprise=surprise)


def _spread(ground: _Ground, world: World, rng: np.random.Generator) -> Simulated:
    """A third of the effect after one, two and three periods; slopes vary by half of their mean between people."""
    slope = world.beta * (1 + 0.5 * rng.standard_normal(ground.talent.shape))
    result = ground.result(slope / 3 * sum(_earlier(ground.driver, lag) for lag in (1, 2, 3)))
    mechanical = result + 0.5 * rng.standard_normal(result.shape)
    return _beside(ground, world, rng, result, mechanical, reacts_to=result, surprise=ground.error)


def _teams(ground: _Ground, world: World, rng: np.random.Generator) -> Simulated:
    """One KPI works in the largest team only; over all people it does as much as the driver."""
    kpi = KPI_SD * shared(rng, ground.error.shape, world.kpi_rho, world)
    working = team_codes(world.sizes, world.people) == 0
    slope = world.beta / working.mean() * working[:, None]
    result = ground.result(world.beta * _earlier(ground.driver, 1) + slope * _earlier(kpi, 1))
    mechanical = result + 0.5 * rng.standard_normal(result.shape)
    made = _beside(ground, world, rng, result, mechanical, reacts_to=result, surprise=ground.error)
    return replace(made, kpis={**made.kpis, "one_team": kpi})


def _proxy_alias(ground: _Ground, world: World, rng: np.random.Generator) -> Simulated:
    """Half of the proxy's variance within a person and period is noise."""
    made = _published(ground, world, rng)
    proxy = ground.driver + KPI_SD * rng.standard_normal(ground.driver.shape)
    return replace(made, kpis={**made.kpis, "proxy": proxy, "alias": ground.driver})


_MAKERS: dict[Kind, Callable[[_Ground, World, np.random.Generator], Simulated]] = {
    "published": _published, "heavy": _heavy, "movers": _published, "spread": _spread, "proxy_alias": _proxy_alias,
    "teams": _teams,
}  # fmt: skip


def _beside(
    ground: _Ground, world: World, rng: np.random.Generator, result: FloatArray, mechanical: FloatArray,
    *, reacts_to: FloatArray, surprise: FloatArray,
) -> Simulated:  # fmt: skip
    """The driver, and everything that only looks like one."""
    shape = result.shape

    def own() -> FloatArray:
        return KPI_SD * shared(rng, shape, world.kpi_rho, world)

    visits = 0.5 * ground.talent + own()
    noise = {f"noise_{number:02d}": shared(rng, shape, world.noise_rho, world) for number in range(1, world.noise + 1)}
    kpis = {
        "driver": ground.driver,
        "talent_season": 0.8 * ground.talent + 1.5 * ground.season + own(),
        "feedback": 0.3 * _earlier(reacts_to, 1) + own(),
        "demand": 0.5 * ground.demand + 0.5 * ground.talent + shared(rng, shape, world.noise_rho, world),
        "mechanical": mechanical,
        "back_dated": visits + 0.4 * _earlier(surprise, -1),
        **noise,
    }
    return Simulated(result, kpis, {"back_dated": visits})


def autoregressive(rng: np.random.Generator, shape: tuple[int, ...], rho: float) -> FloatArray:
    """Stationary with variance one along the last axis, with `rho` from one period to the next."""
    values = rng.standard_normal(shape)
    values[..., 1:] *= np.sqrt(1 - rho**2)
    for t in range(1, shape[-1]):
        values[..., t] += rho * values[..., t - 1]
    return values


def shared(rng: np.random.Generator, shape: tuple[int, ...], rho: float, world: World) -> FloatArray:
    """The same, of which a team has `world.team_share` of the variance in common; shape is .. N x T."""
    own = autoregressive(rng, shape, rho)
    if not world.sizes or not world.team_share:
        return own
    codes = team_codes(world.sizes, world.people)
    of_teams = autoregressive(rng, (*shape[:-2], len(world.sizes), shape[-1]), rho)[..., codes, :]
    # who is in no team has nobody to share with
    kept = np.where(codes >= 0, world.team_share, 0.0)[:, None]
    return np.asarray(np.sqrt(1 - kept) * own + np.sqrt(kept) * of_teams)


def _earlier(values: FloatArray, periods: int) -> FloatArray:
    """What stood `periods` earlier; it wraps around at the edges, which are cut off (`PAST`, `AHEAD`)."""
    return np.roll(values, periods, axis=-1)
