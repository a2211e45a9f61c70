"""Rules on weights: that they add up, what each kind and each KPI usually gets, and what is the team's.

Two articles divide a scheme differently: one in results and process, the other in four kinds. The first table is held
against schemes of results and process alone, the second against those that have customer value or digital KPIs. In
expansion, in a special situation and in a mature business the article's sentence about that phase decides on results
and process, not the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from kpi_research.appraisal.mend import EXAMPLES, example_of, moved, set_to
from kpi_research.appraisal.rules import PROCESS, TEAM_KPIS, Checked, Found, Rule, percent
from kpi_research.appraisal.scheme import WEIGHTS_AGREE, Phase, SchemeItem
from kpi_research.kpis.definition import Kind
from kpi_research.language import Bilingual, sentence

Band = tuple[float, float]
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
    """A share of kinds outside its band, with the points that bring it to the nearer edge."""
    share, (low, high) = checked.share(*kinds), band
    if low - WEIGHTS_AGREE <= share <= high + WEIGHTS_AGREE:
        return
    inside = checked.of_kinds(*kinds)
    rest = [name for name in checked.weights if name not in inside]
    points = low - share if share < low else share - high
    if share < low:
        mend = moved(checked, points, to=inside or [example_of(checked, kinds[0])], take_from=rest)
    else:
        mend = moved(checked, points, to=rest or [_other_kind(checked, kinds)], take_from=inside)
    kind = sentence(f"scheme_kind.{kinds[0]}")
    values: dict[str, Bilingual | str] = {"kind": kind, "share": percent(share), "low": percent(low)}
    values |= {"high": percent(high), "points": percent(points)}
    yield Found("share_low" if share < low else "share_high", kinds[0], values, mend=mend)


def _other_kind(checked: Checked, kinds: tuple[Kind, ...]) -> str:
    return example_of(checked, next(kind for kind in EXAMPLES if kind not in kinds))


def process_in_expansion(checked: Checked) -> Iterator[Found]:
    """Process 40-60 while new business is built up."""
    yield from outside(checked, PROCESS, PROCESS_IN_EXPANSION)


def result_when_mature(checked: Checked) -> Iterator[Found]:
    """Results 60-80 in a mature business."""
    yield from outside(checked, ("result",), RESULT_WHEN_MATURE)


def process_raised(checked: Checked) -> Iterator[Found]:
    """In a special situation no less process than in the scheme before."""
    before = Checked(checked.previous, checked.kpis).share(*PROCESS) if checked.previous else 0.0
    for found in outside(checked, PROCESS, (before, 100)):
        yield Found("process_fell", "process", {**found.values, "before": percent(before)}, mend=found.mend)


def two_kinds(checked: Checked) -> Iterator[Found]:
    """The table of results 50-80 and process 20-50; what a mature business has of results its own rule says."""
    if checked.scheme.phase == "general":
        yield from outside(checked, ("result",), RESULT)
    yield from outside(checked, PROCESS, PROCESS_BAND)


def upper_half(checked: Checked) -> Iterator[Found]:
    """Process in the upper half of its band."""
    yield from outside(checked, PROCESS, UPPER_HALF_OF_PROCESS)


def usual_weights(checked: Checked) -> Iterator[Found]:
    """Each KPI that has a usual weight."""
    for item in checked.scheme.weighted:
        band = checked.kpis[item.kpi].weight_band
        if band is None or band.lowest <= round(item.weight, 6) <= band.highest:
            continue
        nearest = float(band.lowest if item.weight < band.lowest else band.highest)
        values: dict[str, Bilingual | str] = {"kpi": checked.label(item.kpi), "weight": percent(item.weight)}
        values |= {"low": percent(band.lowest), "high": percent(band.highest)}
        yield Found("kpi_band", item.kpi, values, mend=set_to(checked, item.kpi, nearest))


def four_kinds(checked: Checked) -> Iterator[Found]:
    """The table of four kinds; results and process only where no sentence about a phase decides on them.

    A kind that is missing is only mentioned: where one must not be, another rule says so.
    """
    for kinds, band in FOUR_KINDS.items():
        if checked.scheme.phase == "general" or kinds[0] in ("customer_value", "digital"):
            is_missing = not checked.of_kinds(*kinds)
            yield from (
                replace(each, severity="note" if is_missing else None) for each in outside(checked, kinds, band)
            )


def is_fusion(checked: Checked) -> bool:
    """Whether a scheme has the kinds that only the four-way table knows."""
    return bool(checked.of_kinds("customer_value", "digital"))


def teams_share(checked: Checked) -> Iterator[Found]:
    """What hangs on the team's figures: 30-40; none at all is said, not held against a scheme."""
    team = [item.kpi for item in checked.scheme.items if is_teams(checked, item)]
    share, (low, high) = sum(checked.weights[name] for name in team), TEAM
    values: dict[str, Bilingual | str] = {"share": percent(share), "low": percent(low), "high": percent(high)}
    if not team:
        yield Found("team_none", "team", values, severity="note")
    elif not low <= round(share, 6) <= high:
        own = [name for name in checked.weights if name not in team]
        points = low - share if share < low else share - high
        to, take_from = (team, own) if share < low else (own or [example_of(checked, "result")], team)
        mend = moved(checked, points, to=to, take_from=take_from)
        yield Found(
            "team_low" if share < low else "team_high", "team", {**values, "points": percent(points)}, mend=mend
        )


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
        mend = moved(
            checked, result - MOST_RESULT, to=_rest_or(checked, "result"), take_from=checked.of_kinds("result")
        )
        yield Found("only_results", "result", {"share": percent(result), "most": percent(MOST_RESULT)}, mend=mend)
    if process > MOST_PROCESS + WEIGHTS_AGREE:
        to = checked.of_kinds("result") or [example_of(checked, "result")]
        mend = moved(checked, process - MOST_PROCESS, to=to, take_from=checked.of_kinds(*PROCESS))
        yield Found("only_process", "process", {"share": percent(process), "most": percent(MOST_PROCESS)}, mend=mend)
    if 0 < customer < LEAST_CUSTOMER - WEIGHTS_AGREE and result > RESULT[0] + WEIGHTS_AGREE:
        to, take_from = checked.of_kinds("customer_value"), checked.of_kinds("result")
        mend = moved(checked, LEAST_CUSTOMER - customer, to=to, take_from=take_from)
        values: dict[str, Bilingual | str] = {"share": percent(customer), "least": percent(LEAST_CUSTOMER)}
        yield Found("little_customer", "customer_value", {**values, "result": percent(result)}, mend=mend)


def _rest_or(checked: Checked, kind: Kind) -> list[str]:
    return [name for name in checked.weights if name not in checked.of_kinds(kind)] or [example_of(checked, "process")]


RULES = (
    Rule("S01", "error", adds_up),
    Rule("S03", "warning", process_in_expansion, applies=in_phase("expansion")),
    Rule("S04", "warning", result_when_mature, applies=in_phase("mature")),
    Rule("S05", "warning", process_raised, needs=("previous",), applies=in_phase("special")),
    Rule("S06", "warning", two_kinds, applies=lambda c: in_phase("general", "mature")(c) and not is_fusion(c)),
    Rule("S07", "warning", upper_half, applies=in_phase("expansion", "special")),
    Rule("S08", "warning", usual_weights),
    Rule("S09", "warning", four_kinds, applies=is_fusion),
    Rule("S10", "warning", teams_share),
    Rule("S11", "note", result_against_rest),
    Rule("S19", "warning", extremes),
)
