"""Rules on a scheme in use: what the data say of its KPIs, for whom it is, how it changes, what it pays and costs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from kpi_research.appraisal.rules import PROCESS, Bound, Checked, Found, PayTerms, Rule, listed, not_known, percent
from kpi_research.appraisal.scheme import WEIGHTS_AGREE
from kpi_research.appraisal.season import MONTHS
from kpi_research.appraisal.versions import ANY_CYCLE, ATTRIBUTES, TOLD_OF_PEOPLE, SchemeVersion, changes
from kpi_research.errors import InputError
from kpi_research.kpis.definition import Kind
from kpi_research.language import LANGUAGES, Bilingual, sentence
from kpi_research.periods import MONTHS_IN

TELLING = {"H": "mechanical", "I": "unreliable", "F": "no_effect", "R": "follows", "D": "between_only"}
"""Letters that speak against weight on a KPI; each has its own mend."""

PASSING = ("A", "B")
STEERING: tuple[Kind, ...] = (*PROCESS, "digital", "collaboration", "growth")
"""Kinds that are appraised for what they are to bring about; results and customer value are wanted for themselves."""

MANUAL_TABLES = frozenset({"ratings", "learning"})
"""What somebody fills in for the appraisal; all other tables are kept for the work itself."""

MOST_MANUAL = 30.0
"""Percent of the weight; the articles give no number."""

SEASONS_APART = 1.25
"""How many times as much as the weakest cycle of a year the best must bring for the season to be mentioned."""

SUGGESTED = ("effective_visits", "qualified_lead_win_rate")
"""What the article would have instead of a bare number of visits that did nothing for results."""


def works(checked: Checked) -> Iterator[Found]:
    """What the study of the client's own data says of each KPI that is to bring results about."""
    letters = checked.letters or {}
    unclear: dict[str, list[str]] = {"cannot_tell": [], "not_studied": []}
    for item in checked.scheme.items:
        letter = letters.get(item.kpi, "")
        if checked.kind(item) not in STEERING or letter in PASSING:
            continue
        if letter not in TELLING:
            unclear["cannot_tell" if letter else "not_studied"].append(item.kpi)
            continue
        values: dict[str, Bilingual | str] = {
            "kpi": checked.label(item.kpi),
            "weight": percent(checked.weights[item.kpi]),
        }
        yield Found(TELLING[letter], item.kpi, {**values, "instead": _instead(checked, item.kpi)})
    for key, kpis in unclear.items():
        if kpis:
            yield Found(key, values={"kpis": checked.labels(kpis)}, severity="note")


def _instead(checked: Checked, kpi: str) -> Bilingual:
    """KPIs that the same study calls predictive; where there is none, those that the article names."""
    better = [name for name, letter in (checked.letters or {}).items() if letter in PASSING and name in checked.kpis]
    open_ones = [name for name in better or SUGGESTED if name not in (kpi, *checked.weights) and name in checked.kpis]
    return checked.labels(open_ones or [name for name in SUGGESTED if name != kpi])


def fits_people(checked: Checked) -> Iterator[Found]:
    """Different roles have different schemes; where people differ otherwise, or months do, it is mentioned."""
    versions, known = checked.versions or (), checked.differences or {}
    schemes = {each.scheme if isinstance(each.scheme, str) else each.scheme.name for each in versions}
    for field in ATTRIBUTES:
        values = sorted(known.get(field, ()))
        told_apart = len(schemes) > 1 and any(getattr(v.applies_to, field) or v.applies_to.teams for v in versions)
        if len(values) > 1 and not told_apart:
            shown: dict[str, Bilingual | str] = {"values": ", ".join(values), "count": str(len(values))}
            shown |= {"field": sentence(f"scheme_input.{field}")}
            yield Found("one_size", field, shown, severity=None if field == "role" else "note")
    yield from _holds_for_somebody(versions, known)
    seasons = _seasons(checked)
    if seasons and not any(version.applies_to.season for version in versions):
        yield Found("one_season", "season", seasons, severity="note")
    missing = [field for field in ATTRIBUTES if field not in known]
    missing += [] if checked.season is not None and checked.season.status == "repeated" else ["season"]
    if missing:
        words = listed(sentence(f"scheme_input.{field}") for field in missing)
        yield Found("differences_unknown", values={"missing": words}, severity="not_checked")


def _holds_for_somebody(versions: Sequence[SchemeVersion], known: Mapping[str, Collection[str]]) -> Iterator[Found]:
    """A version that asks for what no table says of people, or for what nobody is, is for nobody."""
    for version in versions:
        asked = {field: getattr(version.applies_to, field) for field in ATTRIBUTES}
        for field, value in asked.items():
            shown = {"version": version.name, "field": sentence(f"scheme_input.{field}"), "value": value}
            if value and field not in TOLD_OF_PEOPLE:
                yield Found("not_told_of_people", version.name, shown, severity="error")
            elif value and field in known and value not in known[field]:
                yield Found("for_nobody", version.name, {**shown, "values": ", ".join(sorted(known[field]))})


def _seasons(checked: Checked) -> dict[str, Bilingual | str]:
    """The best and the weakest cycle of a year, where the past has shown them to be clearly apart."""
    months = MONTHS_IN[checked.scheme.cycle]
    if checked.season is None or checked.season.status != "repeated" or months == MONTHS:
        return {}
    order = [(checked.fiscal_year_starts - 1 + step) % MONTHS + 1 for step in range(MONTHS)]
    parts = [order[first : first + months] for first in range(0, MONTHS, months)]
    weight = {tuple(part): sum(checked.season.weights[month] for month in part) / months for part in parts}
    high, low = max(weight, key=weight.__getitem__), min(weight, key=weight.__getitem__)
    if not weight[high] >= SEASONS_APART * weight[low]:
        return {}
    shown = {"high": _months(high), "low": _months(low), "years": str(checked.season.years)}
    return {**shown, "high_share": f"{weight[high]:.0%}", "low_share": f"{weight[low]:.0%}"}


def _months(months: Sequence[int]) -> str:
    return str(months[0]) if len(months) == 1 else f"{months[0]}-{months[-1]}"


def bounded_both_ways(checked: Checked) -> Iterator[Found]:
    """Reward and penalty, each with an end to it."""
    effects = {each.effect for each in checked.scheme.adjustments}
    if effects and "bonus" not in effects:
        yield Found("only_penalties", severity="note")
    if effects == {"bonus"}:
        yield Found("only_rewards", severity="note")
    for each in checked.scheme.adjustments:
        if each.effect == "veto" and each.score_at_most == 0:
            yield Found("veto_takes_all", each.kpi, {"kpi": checked.label(each.kpi)})
        if each.effect != "veto" and each.most <= 0:
            yield Found("adjustment_unbounded", each.kpi, {"kpi": checked.label(each.kpi)}, severity="error")
    yield from not_known(checked, "pay")
    if checked.pay is not None:
        yield from _pay(checked.pay)


def _pay(pay: PayTerms) -> Iterator[Found]:
    if pay.reward_at_most is None:
        yield Found("reward_unbounded", severity="error")
    if pay.penalty_at_most is None:
        yield Found("penalty_unbounded", severity="error")
    if pay.reward_at_most == 0 or pay.penalty_at_most == 0:
        yield Found("pay_one_way")


def stable(checked: Checked) -> Iterator[Found]:
    """Changes only where a cycle begins, in the window, with a reason and approved."""
    window, starts = checked.window or ANY_CYCLE, checked.fiscal_year_starts
    try:
        changes(checked.versions or (), window, checked.scheme.cycle, fiscal_year_starts=starts)
    except InputError as error:
        for problem in error.problems:
            words = Bilingual(*(problem.text(each) for each in LANGUAGES))
            yield Found("change_refused", str(problem.values["version"]), {"problem": words})


def cheap(checked: Checked) -> Iterator[Found]:
    """Most of the weight rests on records that are kept anyway."""
    manual = by_hand(checked)
    share = sum(checked.weights[name] for name in manual)
    if share > MOST_MANUAL + WEIGHTS_AGREE:
        values: dict[str, Bilingual | str] = {"share": percent(share), "most": percent(MOST_MANUAL)}
        yield Found("much_by_hand", values={**values, "kpis": checked.labels(manual)})


def by_hand(checked: Checked) -> tuple[str, ...]:
    """The KPIs that somebody fills in for the appraisal."""
    return tuple(item.kpi for item in checked.scheme.items if MANUAL_TABLES & set(checked.kpis[item.kpi].needs))


RULES = (
    Rule("S25", "warning", works, needs=("letters",), from_data=True),
    Rule("S26", "warning", fits_people, from_data=True),
    Rule("S28", "warning", bounded_both_ways),
    Rule("S29", "error", stable, needs=("versions",)),
    Rule("S30", "warning", cheap, bounds=lambda c: [Bound(by_hand(c), 0, MOST_MANUAL)]),
)
