"""How far the effect of a KPI can be believed: who left, how well the KPI is measured. One row a KPI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kpi_research.evidence.attrition import LEAST_LEAVERS, fit_leaving, leavers, reweighted
from kpi_research.evidence.differences import fit_differences
from kpi_research.evidence.fixed_effects import Codes, Estimate, FloatArray
from kpi_research.evidence.gates import attempted
from kpi_research.evidence.lags import usable_lags
from kpi_research.evidence.outcome import Outcome, outcome_of, unit_of
from kpi_research.evidence.reliability import split_half

COLUMNS = {
    "kpi": "str", "leaving_reason": "str", "n_leavers": "Int64", "leave_odds": float, "leave_p": float,
    "weighted_ratio": float, "weighted_p": float, "moves": "boolean",
    "reliability_reason": "str", "reliability": float, "reliability_low": float, "reliability_high": float,
    "slopes_reason": "str", "effect_unit": "str", "slope_within": float, "slope_differences": float,
    "slope_long": float, "long_periods": "Int64", "differ_p": float, "grows": "boolean",
}  # fmt: skip


@dataclass(frozen=True)
class Weekly:
    """KPIs week by week: those that add up over a period's weeks, and ratios of such.

    What stands at a period's end (open deals) does not belong here: two weeks of a month show much the same deals, and
    that they repeat says nothing.

    Parameters
    ----------
    values
        By KPI N x W, persons in the order of the panel; see `reliability.split_half`.
    period
        W codes of the panel's period that a week lies in; -1 for none, or two.
    """

    values: Mapping[str, FloatArray]
    period: Codes


def trust(
    y: FloatArray,
    kpis: Mapping[str, FloatArray],
    lags: int,
    left: Codes | None = None,
    weekly: Weekly | None = None,
) -> pd.DataFrame:
    """What is known of each KPI (N x T each, as the outcome y); an outcome that moves by shares in its relative form.

    Parameters
    ----------
    lags
        Those of the study; fewer where the periods with both cannot carry them (`lags.usable_lags`).
    left
        As for `attrition.fit_leaving`; None where it is not known who left.

    Returns
    -------
    `kpi`;

    - who left (`attrition`): `n_leavers`; `leave_odds` of leaving for one standard deviation more of the KPI, and
      `leave_p`, that it has nothing to do with it; `weighted_ratio`, the effect with leavers made up for by the one
      without, missing where that one may be zero; `weighted_p`, that they are the same; `moves`
      (`attrition.Reweighted`);
      `leaving_reason` if there is nothing of this: `not_known`, `few_leavers`, `not_estimable`;
    - its weeks (`reliability`): `reliability, reliability_low, reliability_high` (0-1); `reliability_reason`:
      `no_weeks`, `not_estimable`;
    - by changes (`differences`), for one within-person standard deviation of the KPI in `effect_unit`, as the study's
      effects: `slope_within`, `slope_differences` from one period to the next, `slope_long` over `long_periods`, the
      most that the panel reaches; `differ_p`, that short changes show the same effect; `grows`
      (`differences.Differences`); `slopes_reason`: `not_estimable`.
    """
    outcome = outcome_of(y)
    rows = []
    for kpi, x in kpis.items():
        both = np.isfinite(x) & np.isfinite(y)
        reach = usable_lags(lags, int(both.any(axis=0).sum()))
        rows.append(
            {"kpi": kpi, **_leaving(outcome, x, left, reach), **_weeks(kpi, weekly), **_slopes(outcome, x, reach)}
        )
    return pd.DataFrame(rows, columns=[*COLUMNS]).astype(COLUMNS)


def _leaving(outcome: Outcome, x: FloatArray, left: Codes | None, lags: int) -> dict[str, Any]:
    if left is None:
        return {"leaving_reason": "not_known"}
    count = leavers(outcome.tested, x, left, lags)
    if count < LEAST_LEAVERS:
        return {"leaving_reason": "few_leavers", "n_leavers": count}
    fitted = attempted(lambda: fit_leaving(outcome.tested, x, left, lags))
    again = attempted(lambda: reweighted(outcome.tested, x, fitted, lags)) if fitted else None
    if fitted is None or again is None:
        return {"leaving_reason": "not_estimable", "n_leavers": count}
    return {
        "leaving_reason": "",
        "n_leavers": count,
        "leave_odds": float(np.exp(fitted.kpi.value)),
        "leave_p": fitted.kpi.p,
        "weighted_ratio": again.ratio,
        "weighted_p": again.apart.p,
        "moves": again.moves,
    }


def _weeks(kpi: str, weekly: Weekly | None) -> dict[str, Any]:
    if weekly is None or kpi not in weekly.values:
        return {"reliability_reason": "no_weeks"}
    found = attempted(lambda: split_half(weekly.values[kpi], weekly.period))
    if found is None:
        return {"reliability_reason": "not_estimable"}
    return {
        "reliability_reason": "",
        "reliability": found.value,
        "reliability_low": found.low,
        "reliability_high": found.high,
    }


def _slopes(outcome: Outcome, x: FloatArray, lags: int) -> dict[str, Any]:
    found = attempted(lambda: fit_differences(outcome.tested, x, lags))
    if found is None:
        return {"slopes_reason": "not_estimable", "effect_unit": outcome.unit}
    unit = unit_of(outcome, x)

    def told(estimate: Estimate) -> float:
        return unit.told(estimate.value / outcome.slope * unit.scale)

    return {
        "slopes_reason": "",
        "effect_unit": outcome.unit,
        "slope_within": told(found.within),
        "slope_differences": told(found.by_length[0]),
        "slope_long": told(found.by_length[-1]),
        "long_periods": found.lengths[-1],
        "differ_p": found.differ_p,
        "grows": found.grows,
    }
