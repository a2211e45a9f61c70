"""A score as formulas of a spreadsheet: what `appraisal.attainment` and `appraisal.adjusting` compute, live.

Formulas hold cells and numbers only, never a word of the client's. Where a figure is missing the cell stays empty, so
that what was not measured is left out of the total as it is in `appraisal.score`.
"""

from __future__ import annotations

from collections.abc import Sequence

from kpi_research.appraisal.adjusting import WHOLE
from kpi_research.appraisal.scheme import Adjustment, SchemeItem
from kpi_research.kpis.definition import Direction
from kpi_research.policy import MIN_SCORED_WEIGHT

NOTHING = '""'


def attainment_formula(item: SchemeItem, direction: Direction, *, actual: str, target: str) -> str:
    """Attainment of the cells `actual` and `target`; empty without a figure or a target above zero."""
    reached = f"{actual}/{target}"
    if direction == "down" and item.falling == "mirror":
        reached = f"2-{actual}/{target}"
    elif direction == "down":
        most = max(item.cap + item.band, *(step.at_least for step in item.steps), 0.0)
        reached = f"IF({actual}>0,{target}/{actual},{most!r})"
    # AND would not stop at its first part: an empty text is larger than every number
    return f"=IF(ISNUMBER({actual}),IF(ISNUMBER({target}),IF({target}>0,{reached},{NOTHING}),{NOTHING}),{NOTHING})"


def points_formula(item: SchemeItem, *, weight: str, actual: str, attainment: str) -> str:
    """Points of a cell with the attainment, or with the figure where steps are over the figure itself.

    Parameters
    ----------
    weight
        Cell with the item's share of the total, 0-1.
    """
    figure = actual if item.steps and item.steps_on == "value" else attainment
    share = _steps(item, figure) if item.steps else _in_proportion(item, figure)
    return f"=IF(ISNUMBER({figure}),100*{weight}*{share},{NOTHING})"


def _steps(item: SchemeItem, figure: str) -> str:
    nested = "0"
    for step in item.steps:
        nested = f"IF({figure}>={step.at_least!r},{step.share!r},{nested})"
    return nested


def _in_proportion(item: SchemeItem, reached: str) -> str:
    counted = reached
    if item.band:
        inside = 1 - item.band
        counted = f"IF({reached}<{inside!r},{reached}/{inside!r},MAX(1,{reached}-{item.band!r}))"
    held = f"MAX({item.floor!r},MIN({item.cap!r},{counted}))"
    return f"IF({reached}<{item.zero_below!r},0,{held})" if item.zero_below else held


def change_formula(change: Adjustment, value: str) -> str:
    """Points that an adjustment moves the total by; of a veto the most that the total may then be, or nothing."""
    beyond = f"{value}-{change.above!r}" if change.above is not None else f"{change.below!r}-{value}"
    if change.effect == "veto":
        return f"=IF(ISNUMBER({value}),IF({beyond}>0,{change.score_at_most!r},{NOTHING}),{NOTHING})"
    sign = "-" if change.effect == "deduction" else ""
    points = f"MIN({change.most!r},{change.points!r}*INT(({beyond})/{change.per!r}+{WHOLE!r}))"
    return f"=IF(ISNUMBER({value}),IF({beyond}>0,{sign}{points},0),{NOTHING})"


def scored_weight_formula(weights: str, points: str) -> str:
    """Share of the weight that has points.

    Parameters
    ----------
    weights, points
        Ranges of the items' cells.
    """
    return f"=SUMPRODUCT(ISNUMBER({points})*{weights})/SUM({weights})"


def plain_formula(weights: str, points: str, scored: str) -> str:
    """The total by the weights alone; empty where too little of the weight has points."""
    whole = f"SUMPRODUCT(ISNUMBER({points})*{weights})"
    return f"=IF({scored}<{MIN_SCORED_WEIGHT!r},{NOTHING},SUM({points})/{whole})"


def total_formula(plain: str, moved: Sequence[str], vetoes: Sequence[str]) -> str:
    """The total after adjustments: never moved under zero, then held to the strictest veto."""
    total = f"MAX(0,{plain}+SUM({','.join(moved)}))" if moved else plain
    held = f"IF(COUNT({','.join(vetoes)})>0,MIN({total},{','.join(vetoes)}),{total})" if vetoes else total
    return f"=IF(ISNUMBER({plain}),{held},{NOTHING})"
