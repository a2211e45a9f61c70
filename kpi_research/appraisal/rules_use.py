"""Rules on a scheme in use: what the data say of its KPIs, for whom it is, how it changes, what it pays and costs."""

from __future__ import annotations

from collections.abc import Iterator

from kpi_research.appraisal.rules import PROCESS, Bound, Checked, Found, PayTerms, Rule, not_known, percent
from kpi_research.appraisal.scheme import WEIGHTS_AGREE
from kpi_research.appraisal.versions import ANY_CYCLE, changes
from kpi_research.errors import InputError
from kpi_research.kpis.definition import Kind
from kpi_research.language import LANGUAGES, Bilingual

TELLING = {"H": "mechanical", "I": "unreliable", "F": "no_effect", "R": "follows", "D": "between_only"}
"""Letters that speak against weight on a KPI; each has its own mend."""

PASSING = ("A", "B")
STEERING: tuple[Kind, ...] = (*PROCESS, "digital", "collaboration", "growth")
"""Kinds that are appraised for what they are to bring about; results and customer value are wanted for themselves."""

MANUAL_TABLES = frozenset({"ratings", "learning"})
"""What somebody fills in for the appraisal; all other tables are kept for the work itself."""

MOST_MANUAL = 30.0
"""Percent of the weight; the articles give no number."""

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
    """Different roles have different schemes."""
    roles = sorted(checked.roles or ())
    schemes = {
        version.scheme if isinstance(version.scheme, str) else version.scheme.name for version in checked.versions or ()
    }
    told_apart = any(version.applies_to.narrowness for version in checked.versions or ())
    if len(roles) > 1 and not (told_apart and len(schemes) > 1):
        yield Found("one_size", values={"roles": ", ".join(roles), "count": str(len(roles))})


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
    Rule("S26", "warning", fits_people, needs=("roles",)),
    Rule("S28", "warning", bounded_both_ways),
    Rule("S29", "error", stable, needs=("versions",)),
    Rule("S30", "warning", cheap, bounds=lambda c: [Bound(by_hand(c), 0, MOST_MANUAL)]),
)
