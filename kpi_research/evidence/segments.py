"""KPIs that go with results, looked at again: by groups, from person to person, and from four points of view.

Only KPIs that were found to go with results are asked for whom they do; which groups are looked at is declared before.
The false discovery rate is held over both steps (Yekutieli 2008; Benjamini & Bogomolov 2014): R of m KPIs were
selected, and within each the kinds of groups are tested at q R / m.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kpi_research.evidence.fixed_effects import FloatArray
from kpi_research.evidence.gates import attempted
from kpi_research.evidence.heterogeneity import TOO_FEW, Grouping, counted, group_effects, person_effects
from kpi_research.evidence.multiplicity import family_q
from kpi_research.evidence.outcome import Outcome, Unit, outcome_of, unit_of
from kpi_research.evidence.random_effects import Effects, Spread, differ_p, spread
from kpi_research.evidence.simpson import BINS, View, simpson

TEAM = "team"
"""Kind of groups whose means `simpson` looks at."""
PERSON = "person"
"""Kind of the row that says how far people differ; it names nobody."""
SEED = 20260102
"""Fixed, so that the same data give the same intervals."""

VIEWS: tuple[View, ...] = ("pooled", "teams", "people", "within")
COLUMNS: dict[str, Any] = {
    "kpi": "str", "kind": "str", "group": "str", "status": "str", "effect_unit": "str", "effect": float, "low": float,
    "high": float, "raw": float, "n_people": int, "n_rows": int, "p_differ": float, "q_differ": float, "tau": float,
    "i2": float, "predict_low": float, "predict_high": float, "above": float, "above_low": float, "above_high": float,
}  # fmt: skip
SIMPSON_COLUMNS: dict[str, Any] = {
    "kpi": "str",
    "alert": "str",
    **{f"{view}{end}": float for view in VIEWS for end in ("", "_low", "_high")},
    "n_people": int,
    "n_rows": int,
    "n_teams": int,
    "swing": float,
    **{f"{axis}_{number}": float for axis in "xy" for number in range(1, BINS + 1)},
}


def segments(
    y: FloatArray, kpis: Mapping[str, FloatArray], lags: int, kinds: Mapping[str, Grouping], *, n_tested: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """For whom each KPI (N x T, as the outcome y) goes with the outcome, and whether points of view contradict.

    Parameters
    ----------
    kpis
        Those that were found to go with the outcome, by name.
    kinds
        By kind of group (`team`, `role`, ...) who is in which; declared before the data are looked at.
    n_tested
        KPIs of the family from which those were selected.

    Returns
    -------
    First a row a KPI, kind and group. `effect, low, high`: the sum of the lags for one within-person standard deviation
    of the KPI in `effect_unit` (`outcome.Unit`), drawn to that of all groups, with its 95 % interval; `raw`, before it
    was. `n_people, n_rows`. Of the kind, on each of its rows: `p_differ`, and `q_differ`, which is to be held against
    the family's q; `tau` in `effect_unit`, `i2` (`random_effects.Spread`); `predict_low, predict_high`, 95 % interval
    for a group that is not here. `status` is `ok`, or `too_few` (no effect): people of groups so small that
    they are not shown, and of kinds without two groups to compare. Groups that are too small are shown together as
    `heterogeneity.TOO_FEW` where they are enough together.

    The kind `PERSON` has one row a KPI and no effect: `tau, i2` over people, and `above, above_low, above_high`, the
    share of them for whom the effect is above zero.

    Second a row a KPI: `alert` (`simpson.Alert`); in natural units `pooled, teams, people, within` with `_low, _high`
    (95 %); `n_people, n_rows, n_teams`; `swing`; `x_1 .. y_5`, means of equal groups of people (`Simpson`).

    Raises
    ------
    ValueError
        If more KPIs were selected than tested: the false discovery rate would not hold.
    """
    if n_tested < len(kpis):
        raise ValueError(f"{len(kpis)} KPIs cannot have been selected from {n_tested}")
    outcome = outcome_of(y)
    rng = np.random.default_rng(SEED)
    found: list[dict[str, Any]] = []
    views: list[dict[str, Any]] = []
    for kpi, x in kpis.items():
        asked = _Asked(outcome, x, lags, unit_of(outcome, x), rng)
        by_kind = [_of_kind(asked, kind, grouping) for kind, grouping in kinds.items()]
        rows = [*_with_q(by_kind, n_tested / len(kpis)), _people(asked)]
        found += [{"kpi": kpi, "effect_unit": asked.unit.name, **row} for row in rows]
        views.append({"kpi": kpi, **_views(asked, kinds.get(TEAM))})
    return _frame(found, COLUMNS), _frame(views, SIMPSON_COLUMNS)


@dataclass(frozen=True)
class _Asked:
    """One KPI x (N x T) and the outcome."""

    outcome: Outcome
    x: FloatArray
    lags: int
    unit: Unit
    rng: np.random.Generator

    def scaled(self, effects: Effects) -> Effects:
        """Effects on the tested form of the outcome, for one within-person standard deviation of the KPI."""
        factor = self.unit.scale / self.outcome.slope
        return Effects(effects.values * factor, effects.variances * factor**2, effects.df)


def _of_kind(asked: _Asked, kind: str, grouping: Grouping) -> list[dict[str, Any]]:
    """A row a group; only one, without an effect, where there are not two groups to compare."""
    found = attempted(lambda: group_effects(asked.outcome.tested, asked.x, asked.lags, grouping))
    if found is None:
        members = grouping.at(asked.x.shape) >= 0
        return [_too_few(kind, *counted(asked.outcome.tested, asked.x, asked.lags, members))]
    effects, told = asked.scaled(found.effects), asked.unit.told
    seen = spread(effects, asked.rng)
    of_kind = {"kind": kind, "p_differ": differ_p(effects, asked.rng), **_told(seen, asked.unit)}
    rows = [
        {
            **of_kind,
            "group": name,
            "status": "ok",
            "effect": told(seen.shrunk[index]),
            "low": told(seen.low[index]),
            "high": told(seen.high[index]),
            "raw": told(effects.values[index]),
            "n_people": found.n_people[index],
            "n_rows": found.n_rows[index],
        }
        for index, name in enumerate(found.names)
    ]
    left = {**of_kind, **_too_few(kind, found.left_people, found.left_rows)}
    return [*rows, left] if found.left_people else rows


def _too_few(kind: str, n_people: int, n_rows: int) -> dict[str, Any]:
    return {"kind": kind, "group": TOO_FEW, "status": "too_few", "n_people": n_people, "n_rows": n_rows}


def _with_q(by_kind: list[list[dict[str, Any]]], factor: float) -> list[dict[str, Any]]:
    """The rows with `q_differ`: Benjamini and Hochberg's over the kinds of one KPI, times m / R."""
    p = np.array([rows[0].get("p_differ", np.nan) for rows in by_kind])
    q = np.minimum(1.0, family_q(p) * factor)
    return [{**row, "q_differ": at} for rows, at in zip(by_kind, q, strict=True) for row in rows]


def _people(asked: _Asked) -> dict[str, Any]:
    """How far people differ; nothing of any one of them."""
    found = attempted(lambda: person_effects(asked.outcome.tested, asked.x, asked.lags))
    if found is None:
        return {"kind": PERSON, "group": "", "status": "too_few", "n_people": 0, "n_rows": 0}
    seen = spread(asked.scaled(found.effects), asked.rng)
    above = {"above": seen.above, "above_low": seen.above_low, "above_high": seen.above_high}
    told = {key: value for key, value in _told(seen, asked.unit).items() if not key.startswith("predict")}
    sizes = {"n_people": len(found.effects.values), "n_rows": found.n_rows}
    return {"kind": PERSON, "group": "", "status": "ok", **told, **above, **sizes}


def _told(seen: Spread, unit: Unit) -> dict[str, float]:
    return {
        "tau": unit.told(seen.tau),
        "i2": seen.i2,
        "predict_low": unit.told(seen.predict_low),
        "predict_high": unit.told(seen.predict_high),
    }


def _views(asked: _Asked, teams: Grouping | None) -> dict[str, Any]:
    found = attempted(lambda: simpson(asked.outcome, asked.x, asked.lags, teams))
    if found is None:
        return {"alert": "", "n_people": 0, "n_rows": 0, "n_teams": 0}
    row: dict[str, Any] = {name: getattr(found, name) for name in ("alert", "n_people", "n_rows", "n_teams", "swing")}
    for view, slope in found.slopes.items():
        if slope is not None:
            low, high = slope.interval()
            row |= {view: slope.value, f"{view}_low": low, f"{view}_high": high}
    for number, (x, y) in enumerate(zip(found.bins_x, found.bins_y, strict=True), start=1):
        row |= {f"x_{number}": float(x), f"y_{number}": float(y)}
    return row


def _frame(rows: list[dict[str, Any]], columns: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[*columns]).astype(dict(columns))
