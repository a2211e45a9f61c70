"""Rules on weights: that they add up, what each kind and each KPI usually gets, and what is the team's.

Two articles divide a scheme differently: one in results and process, the other in four kinds. The first table is held
against schemes of results and process alone, the second against those that have customer value or digital KPIs. In
expansion, in a special situation and in a mature business the article's sentence about that phase decides on results
and process, not the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from kpi_research.appraisal.rules import PROCESS, TEAM_KPIS, Bound, Checked, Found, Rule, percent
from kpi_research.appraisal.scheme import WEIGHTS_AGREE, Phase, SchemeItem
from kpi_research.kpis.definition import Kind
from kpi_research.language import Bilingual, sentence

Band = tuple[float, float]
Asked = tuple[tuple[Kind, ...], Band]
"""Kinds and what they weigh together, percent of the total."""

PROCESS_IN_EXPANSION: Band = (40, 60)
RESULT_WHEN_MATURE: Band = (60, 80)
RESULT, PROCESS_BAND = (50.0, 80.0), (20.0, 50.0)
TWO_KINDS: dict[tuple[Kind, ...], Band] = {("result",): RESULT, PROCESS: PROCESS_BAND}
"""Usual shares of schemes of results and process alone; `FOUR_KINDS` of those with customer value or digital KPIs."""
UPPER_HALF_OF_PROCESS: Band = ((PROCESS_BAND[0] + PROCESS_BAND[1]) / 2, 100)
FOUR_KINDS: dict[tuple[Kind, ...], Band] = {
    ("result",): (30, 50),
    PROCESS: (20, 30),
    ("customer_value",): (10, 20),
    ("digital",): (10, 15),
}
TEAM: Band = (30, 40)
RESULT_AGAINST_REST: Band = (60, 70)
MOST_RESULT, MOST_PROCESS, LEAST_CUSTOMER = RESULT[1], PROCESS_IN_EXPANSION[1], 10.0


def in_phase(*phases: Phase) -> Callable[[Checked], bool]:
    """Whether the scheme is for one of these phases."""
    return lambda checked: checked.scheme.phase in phases


def adds_up(checked: Checked) -> Iterator[Found]:
    """The total, with weights on two levels multiplied out."""
    total = sum(checked.weights.values())
    if abs(total - 100) > WEIGHTS_AGREE:
        yield Found("sum", values={"total": percent(total)})


def outside(checked: Checked, kinds: tuple[Kind, ...], band: Band) -> Iterator[Found]:
    """A share of kinds outside its band, with the points to the nearer edge."""
    share, (low, high) = checked.share(*kinds), band
    if low - WEIGHTS_AGREE <= share <= high + WEIGHTS_AGREE:
        return
    values: dict[str, Bilingual | str] = {"kind": sentence(f"scheme_kind.{kinds[0]}"), "share": percent(share)}
    values |= {"low": percent(low), "high": percent(high), "points": percent(max(low - share, share - high))}
    yield Found("share_low" if share < low else "share_high", kinds[0], values)


def bounds(*asked: Asked) -> Callable[[Checked], list[Bound]]:
    """What keeps shares of kinds inside their bands."""
    return lambda checked: [Bound(tuple(checked.of_kinds(*kinds)), *band) for kinds, band in asked]


def process_in_expansion(checked: Checked) -> Iterator[Found]:
    """Process 40-60 while new business is built up."""
    yield from outside(checked, PROCESS, PROCESS_IN_EXPANSION)


def result_when_mature(checked: Checked) -> Iterator[Found]:
    """Results 60-80 in a mature business."""
    yield from outside(checked, ("result",), RESULT_WHEN_MATURE)


def process_raised(checked: Checked) -> Iterator[Found]:
    """In a special situation no less process than in the scheme before."""
    before = process_before(checked)
    for found in outside(checked, PROCESS, (before, 100)):
        yield Found("process_fell", "process", {**found.values, "before": percent(before)})


def process_before(checked: Checked) -> float:
    """Percent that process had in the scheme before; 0 where nobody has told."""
    return Checked(checked.previous, checked.kpis).share(*PROCESS) if checked.previous else 0.0


def two_kinds(checked: Checked) -> Iterator[Found]:
    """The table of results 50-80 and process 20-50."""
    for kinds, band in bands_of_two(checked):
        yield from outside(checked, kinds, band)


def bands_of_two(checked: Checked) -> Iterator[Asked]:
    """The bands of that table; what a mature business has of results its own rule says."""
    for kinds, band in TWO_KINDS.items():
        if checked.scheme.phase == "general" or kinds == PROCESS:
            yield kinds, band


def upper_half(checked: Checked) -> Iterator[Found]:
    """Process in the upper half of its band."""
    yield from outside(checked, PROCESS, UPPER_HALF_OF_PROCESS)


def usual_weights(checked: Checked) -> Iterator[Found]:
    """Each KPI that has a usual weight."""
    for bound in usual_bounds(checked):
        (kpi,), weight = bound.kpis, checked.weights[bound.kpis[0]]
        if not bound.low <= round(weight, 6) <= bound.high:
            values: dict[str, Bilingual | str] = {"kpi": checked.label(kpi), "weight": percent(weight)}
            yield Found("kpi_band", kpi, values | {"low": percent(bound.low), "high": percent(bound.high)})


def usual_bounds(checked: Checked) -> Iterator[Bound]:
    """The usual weights of the scheme's KPIs."""
    for item in checked.scheme.items:
        if band := checked.kpis[item.kpi].weight_band:
            yield Bound((item.kpi,), band.lowest, band.highest)


def four_kinds(checked: Checked) -> Iterator[Found]:
    """The table of four kinds.

    A kind that is missing is only mentioned: where one must not be, another rule says so.
    """
    for kinds, band in bands_of_four(checked):
        is_missing = not checked.of_kinds(*kinds)
        yield from (replace(each, severity="note" if is_missing else None) for each in outside(checked, kinds, band))


def bands_of_four(checked: Checked) -> Iterator[Asked]:
    """The bands of that table; of results and process only where no sentence about a phase decides on them."""
    for kinds, band in FOUR_KINDS.items():
        if checked.scheme.phase == "general" or kinds[0] in ("customer_value", "digital"):
            yield kinds, band


def is_fusion(checked: Checked) -> bool:
    """Whether a scheme has the kinds that only the four-way table knows."""
    return bool(checked.of_kinds("customer_value", "digital"))


def teams_share(checked: Checked) -> Iterator[Found]:
    """What hangs on the team's figures: 30-40; none at all is said, not held against a scheme."""
    team, (low, high) = of_team(checked), TEAM
    share = sum(checked.weights[name] for name in team)
    values: dict[str, Bilingual | str] = {"share": percent(share), "low": percent(low), "high": percent(high)}
    if not team:
        yield Found("team_none", "team", values, severity="note")
    elif not low <= round(share, 6) <= high:
        points = percent(max(low - share, share - high))
        yield Found("team_low" if share < low else "team_high", "team", {**values, "points": points})


def of_team(checked: Checked) -> tuple[str, ...]:
    """The KPIs whose figure is that of the team."""
    return tuple(item.kpi for item in checked.scheme.items if is_teams(checked, item))


def is_teams(checked: Checked, item: SchemeItem) -> bool:
    """Whether an item's figure is that of the team."""
    return item.scope == "team" or item.kpi in TEAM_KPIS or "person" not in checked.kpis[item.kpi].levels


def result_against_rest(checked: Checked) -> Iterator[Found]:
    """Results 60-70 and all others 30-40."""
    yield from outside(checked, ("result",), RESULT_AGAINST_REST)


def extremes(checked: Checked) -> Iterator[Found]:
    """One kind that crowds out the others."""
    result, process = checked.share("result"), checked.share(*PROCESS)
    customer = checked.share("customer_value")
    if result > MOST_RESULT + WEIGHTS_AGREE:
        yield Found("only_results", "result", _at_most(result, MOST_RESULT))
    if process > MOST_PROCESS + WEIGHTS_AGREE:
        yield Found("only_process", "process", _at_most(process, MOST_PROCESS))
    if 0 < customer < LEAST_CUSTOMER - WEIGHTS_AGREE and result > RESULT[0] + WEIGHTS_AGREE:
        values: dict[str, Bilingual | str] = {"share": percent(customer), "least": percent(LEAST_CUSTOMER)}
        yield Found("little_customer", "customer_value", {**values, "result": percent(result)})


def _at_most(share: float, most: float) -> dict[str, Bilingual | str]:
    return {"share": percent(share), "most": percent(most), "points": percent(share - most)}


RULES = (
    Rule("S01", "error", adds_up),
    Rule(
        "S03",
        "warning",
        process_in_expansion,
        applies=in_phase("expansion"),
        bounds=bounds((PROCESS, PROCESS_IN_EXPANSION)),
    ),
    Rule(
        "S04",
        "warning",
        result_when_mature,
        applies=in_phase("mature"),
        bounds=bounds((("result",), RESULT_WHEN_MATURE)),
    ),
    Rule(
        "S05",
        "warning",
        process_raised,
        needs=("previous",),
        applies=in_phase("special"),
        bounds=lambda c: bounds((PROCESS, (process_before(c), 100)))(c),
    ),
    Rule(
        "S06",
        "warning",
        two_kinds,
        applies=lambda c: in_phase("general", "mature")(c) and not is_fusion(c),
        bounds=lambda c: bounds(*bands_of_two(c))(c),
    ),
    Rule(
        "S07",
        "warning",
        upper_half,
        applies=in_phase("expansion", "special"),
        bounds=bounds((PROCESS, UPPER_HALF_OF_PROCESS)),
    ),
    Rule("S08", "warning", usual_weights, bounds=usual_bounds),
    Rule(
        "S09",
        "warning",
        four_kinds,
        applies=is_fusion,
        bounds=lambda c: [each for each in bounds(*bands_of_four(c))(c) if each.kpis],
    ),
    Rule("S10", "warning", teams_share, bounds=lambda c: [Bound(team, *TEAM)] if (team := of_team(c)) else []),
    Rule("S11", "note", result_against_rest),
    # with customer value in a scheme the table of four kinds gives it as much in any case
    Rule("S19", "warning", extremes, bounds=bounds((("result",), (0, MOST_RESULT)), (PROCESS, (0, MOST_PROCESS)))),
)
