"""The appraisal form of one person: what was scored, item by item, what raters said, and what moved the total."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kpi_research.appraisal.scheme import Adjustment, Rater, Scheme, SchemeItem
from kpi_research.appraisal.score import Score
from kpi_research.kpis.definition import Kpi


@dataclass(frozen=True)
class FormItem:
    """One appraised KPI of one person.

    Parameters
    ----------
    item
        The scheme's rule; its `weight` is percent of the total.
    group_weight
        Percent of the item's group in the total; null where the scheme has no groups.
    target, stretch, actual
        In the KPI's unit; null where there is none.
    attainment, points, n, status
        As in `Score.rows`.
    low, high
        Interval of `actual`.
    marks
        Means of what each kind of rater gave, points of a hundred.
    """

    item: SchemeItem
    kpi: Kpi
    group_weight: float
    target: float
    stretch: float
    actual: float
    low: float
    high: float
    attainment: float
    points: float
    n: float
    status: str
    marks: Mapping[Rater, float]


@dataclass(frozen=True)
class FormChange:
    """What one adjustment of the scheme did; `value`, `points`, `score_at_most`, `status` as in `Score.adjustments`."""

    change: Adjustment
    kpi: Kpi
    value: float
    points: float
    score_at_most: float
    status: str


@dataclass(frozen=True)
class Form:
    """The form of one person.

    Parameters
    ----------
    plain, total
        The total by the weights alone, and after adjustments; null where too little weight could be scored.
    scored_weight
        Share of the weight that could be scored.
    """

    person_id: str
    items: tuple[FormItem, ...]
    changes: tuple[FormChange, ...]
    plain: float
    total: float
    scored_weight: float
    status: str


def forms_of(
    score: Score,
    scheme: Scheme,
    kpis: Mapping[str, Kpi],
    *,
    stretch: Mapping[tuple[str, str], float],
    marks: Mapping[tuple[str, str], Mapping[Rater, float]],
) -> list[Form]:
    """The forms of everybody in a score, in the order of ids.

    Parameters
    ----------
    stretch
        (person_id, kpi) -> stretch target in the KPI's unit.
    marks
        (person_id, kpi) -> kind of rater -> mean mark of a hundred.
    """
    rules = {item.kpi: item for item in scheme.weighted}
    rows = dict(iter(score.rows.groupby("entity_id")))
    forms = []
    for total in score.totals.sort_values("entity_id").to_dict("records"):
        person = str(total["entity_id"])
        items = [
            _item(row, rules[row["kpi"]], scheme, kpis[row["kpi"]], stretch, marks)
            for row in rows[person].to_dict("records")
        ]
        reached, moved = float(total["score"]), float(total["adjusted"])
        forms.append(
            Form(
                person,
                tuple(items),
                tuple(_changes(score, scheme, kpis, person)),
                plain=reached - moved,
                total=reached,
                scored_weight=float(total["scored_weight"]),
                status=str(total["status"]),
            )
        )
    return forms


def _changes(score: Score, scheme: Scheme, kpis: Mapping[str, Kpi], person: str) -> Iterator[FormChange]:
    """Rows of `Score.adjustments` come in the scheme's order."""
    rows = score.adjustments[score.adjustments["entity_id"] == person].to_dict("records")
    for change, row in zip(scheme.adjustments, rows, strict=True):
        yield FormChange(change, kpis[change.kpi], row["value"], row["points"], row["score_at_most"], row["status"])


def _item(
    row: Mapping[str, object],
    rule: SchemeItem,
    scheme: Scheme,
    kpi: Kpi,
    stretch: Mapping[tuple[str, str], float],
    marks: Mapping[tuple[str, str], Mapping[Rater, float]],
) -> FormItem:
    key = str(row["entity_id"]), rule.kpi
    number = {name: float(str(row[name])) for name in ("target", "actual", "attainment", "points", "n")}
    return FormItem(
        item=rule,
        kpi=kpi,
        group_weight=scheme.groups.get(rule.group, math.nan),
        stretch=stretch.get(key, math.nan),
        low=float(str(row["actual_low"])),
        high=float(str(row["actual_high"])),
        status=str(row["status"]),
        marks=marks.get(key, {}),
        **number,
    )
