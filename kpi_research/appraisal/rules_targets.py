"""Rules on targets and figures: that there are any, that they can be reached, who gives and who sees to them."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kpi_research.appraisal.rules import Checked, Found, Rule, not_known, percent
from kpi_research.appraisal.scheme import SchemeItem
from kpi_research.crm.tables import TABLES
from kpi_research.kpis.definition import Kpi
from kpi_research.language import LANGUAGES, Bilingual, say, sentence
from kpi_research.policy import LEAST_LIKELY, MIN_DENOMINATOR, MOST_LIKELY

USUAL_BAND = 0.10
LEAST_HISTORY = 4
"""Periods: the best and the worst of fewer say nothing of what is usual."""

LEAST_TARGETS = 3
"""Targets of one KPI: of fewer a single one would decide."""

MOST_OUTSIDE = 0.5
"""Share of the targets that may lie beyond what the same people ever had: some must, where results rise or fall."""

TARGET_COLUMNS = [*TABLES["targets"].columns]
SOFT_TABLES = frozenset({"ratings", "surveys"})


def smart(checked: Checked) -> Iterator[Found]:
    """Specific, measurable, achievable, time-bound, as far as a file can tell; relevant is what S25 asks."""
    vague = [name for name in checked.weights if is_vague(checked.label(name))]
    if vague:
        yield Found("vague", values={"kpis": checked.labels(vague)})
    yield from not_known(checked, "tables", "targets", "history")
    if checked.tables is not None:
        for name in checked.weights:
            if missing := sorted(set(checked.kpis[name].needs) - set(checked.tables)):
                values: dict[str, Bilingual | str] = {"kpi": checked.label(name), "tables": ", ".join(missing)}
                yield Found("no_data_source", name, values, severity="error")
    for name in checked.weights:
        if name in checked.not_kept:
            yield Found("never_recorded", name, {"kpi": checked.label(name)}, severity="error")
        elif name in checked.not_of_late:
            yield Found("not_recorded_of_late", name, {"kpi": checked.label(name)})
    if checked.targets is not None:
        held = current_targets(checked)
        without = [item.kpi for item in checked.scheme.items if needs_target(item) and item.kpi not in set(held["kpi"])]
        if without:
            period = Bilingual(*(checked.period or say("scheme_remark.any_period", each) for each in LANGUAGES))
            values = {"kpis": checked.labels(without), "period": period}
            yield Found("no_target", values=values, severity="error")
        if checked.history is not None:
            yield from _beyond_history(checked, held, checked.history)
    if "cycle" not in checked.scheme.model_fields_set:
        yield Found("no_cycle", values={"cycle": sentence(f"scheme_cycle.{checked.scheme.cycle}")}, severity="note")


def needs_target(item: SchemeItem) -> bool:
    """Whether an item is scored against a target; steps over the figure itself need none."""
    return not (item.steps and item.steps_on == "value")


def is_vague(label: Bilingual) -> bool:
    """Whether a name says what is wished for instead of what is counted: it begins with a verb of improving."""
    zh, en = (say("scheme_remark.vague_verbs", each).split("|") for each in LANGUAGES)
    first = label.en.split()[0].lower()
    return label.zh.startswith(tuple(zh)) or first in en


def current_targets(checked: Checked) -> pd.DataFrame:
    """The targets of the period that is looked at, or of each KPI's latest; all scopes, the latest version of each."""
    targets = checked.targets
    if targets is None or targets.empty:
        return pd.DataFrame(columns=TARGET_COLUMNS)
    held = targets[targets["kpi"].isin(checked.weights)]
    wanted = checked.period or held.groupby("kpi")["period"].transform("max")
    held = held[held["period"] == wanted]
    # by length first, so that version 10 follows version 9
    version = held["version"].fillna("").astype(str)
    held = held.assign(day=pd.to_datetime(held["effective_from"]), length=version.str.len(), version=version)
    held = held.sort_values(["day", "length", "version"], na_position="first")
    return held.drop_duplicates(["scope", "scope_id", "kpi", "period"], keep="last")


def _beyond_history(checked: Checked, held: pd.DataFrame, history: pd.DataFrame) -> Iterator[Found]:
    """Targets above the best or below the worst that the same person or team ever had, where that is the rule."""
    known = history[history["status"].isin(["ok", "partial"])]
    known = known.merge(held[["kpi", "period"]].drop_duplicates(), on=["kpi", "period"], how="left", indicator=True)
    entity = ["level", "entity_id", "kpi"]
    past = known[known["_merge"] == "left_only"].groupby(entity)["value"].agg(["min", "max", "count"]).reset_index()
    both = held.merge(past[past["count"] >= LEAST_HISTORY], left_on=["scope", "scope_id", "kpi"], right_on=entity)
    compared = {str(name): rows for name, rows in both.groupby("kpi") if len(rows) >= LEAST_TARGETS}
    for name, rows in compared.items():
        base = rows["base"].astype(float)
        for key, out in (("target_above", base > rows["max"]), ("target_below", base < rows["min"])):
            if out.mean() > MOST_OUTSIDE:
                key = _beyond(key, checked.kpis[name])
                yield Found(key, name, _counted(checked, name, int(out.sum()), len(rows)))
    if short := [name for name in checked.weights if name in set(held["kpi"]) - set(compared)]:
        limits = {"targets": str(LEAST_TARGETS), "periods": str(LEAST_HISTORY)}
        yield Found("short_history", values={"kpis": checked.labels(short), **limits}, severity="not_checked")


def _counted(checked: Checked, kpi: str, out: int, of: int) -> dict[str, Bilingual | str]:
    return {"kpi": checked.label(kpi), "out": str(out), "all": str(of)}


def _beyond(key: str, kpi: Kpi) -> str:
    """Too hard is above the best where more is better, and below the lowest where less is."""
    return {"target_above": "too_hard", "target_below": "too_easy"}[key] if kpi.direction == "up" else {
        "target_above": "too_easy", "target_below": "too_hard"
    }[key]  # fmt: skip


def base_and_stretch(checked: Checked) -> Iterator[Found]:
    """Scores hang on the base target alone; the stretch target lies beyond it and pays extra."""
    held = current_targets(checked)
    stretch = held[held["stretch"].notna()]
    for name, rows in stretch.groupby("kpi"):
        gain = (rows["stretch"] - rows["base"]).astype(float)
        wrong = gain <= 0 if checked.kpis[str(name)].direction == "up" else gain >= 0
        if wrong.any():
            values = _counted(checked, str(name), int(wrong.sum()), len(rows))
            yield Found("stretch_not_beyond", str(name), values)
    if checked.pay is None and len(stretch):
        yield from not_known(checked, "pay")
    if checked.pay is not None and len(stretch) and checked.pay.reward_on == "base":
        yield Found("reward_on_base")


def elastic_band(checked: Checked) -> Iterator[Found]:
    """Around a result's target a band in which all points are earned, and no wider than the example's."""
    results = [item for item in checked.scheme.items if checked.kind(item) == "result" and not item.steps]
    if results and not any(item.band for item in results):
        yield Found("no_band", values={"band": percent(100 * USUAL_BAND)})
    for item in checked.scheme.items:
        if item.band > USUAL_BAND:
            values: dict[str, Bilingual | str] = {"kpi": checked.label(item.kpi), "band": percent(100 * item.band)}
            yield Found("wide_band", item.kpi, {**values, "usual": percent(100 * USUAL_BAND)}, severity="warning")


def attainable(checked: Checked) -> Iterator[Found]:
    """Targets that hardly anybody or almost everybody would have reached; unknown probabilities count as neither."""
    frame = checked.attainability if checked.attainability is not None else pd.DataFrame({"kpi": [], "probability": []})
    frame = frame[frame["kpi"].isin(checked.weights) & frame["probability"].notna()]
    probability = frame["probability"].astype(float)
    for key, out in (("hardly_reached", probability < LEAST_LIKELY), ("always_reached", probability > MOST_LIKELY)):
        for name, rows in frame[out].groupby("kpi"):
            of = int((frame["kpi"] == name).sum())
            limits = {"least": f"{LEAST_LIKELY:.0%}", "most": f"{MOST_LIKELY:.0%}"}
            yield Found(key, str(name), {**_counted(checked, str(name), len(rows), of), **limits})


def is_soft(kpi: Kpi) -> bool:
    """Whether somebody's opinion is the figure."""
    return bool(SOFT_TABLES & set(kpi.needs))


def soft_are_measured(checked: Checked) -> Iterator[Found]:
    """Soft KPIs: who rates, on which scale, and how many opinions a figure rests on."""
    for item in checked.scheme.items:
        kpi = checked.kpis[item.kpi]
        if "ratings" in kpi.needs:
            if not item.raters:
                yield Found("no_raters", item.kpi, {"kpi": kpi.label})
            if checked.ratings is not None and len(checked.ratings):
                given = checked.ratings[checked.ratings["kpi"] == item.kpi]
                bare = int((~(given["scale_max"].astype(float) > 0)).sum())
                if bare:
                    yield Found("no_scale", item.kpi, _counted(checked, item.kpi, bare, len(given)))
        if is_soft(kpi) and checked.history is not None:
            rows = checked.history[(checked.history["kpi"] == item.kpi) & (checked.history["n"] > 0)]
            few = int((rows["n"] < MIN_DENOMINATOR).sum())
            if few > MOST_OUTSIDE * len(rows):
                values = _counted(checked, item.kpi, few, len(rows))
                yield Found("few_raters", item.kpi, {**values, "least": str(MIN_DENOMINATOR)})
    rated = any("ratings" in checked.kpis[item.kpi].needs for item in checked.scheme.items)
    yield from not_known(checked, *(["ratings"] if rated else []), "history")


def has_soft(checked: Checked) -> bool:
    """Whether any item is soft."""
    return any(is_soft(checked.kpis[item.kpi]) for item in checked.scheme.items)


def owned(checked: Checked) -> Iterator[Found]:
    """Somebody sees to each figure, and what is scored for a person has targets for people."""
    without = [item.kpi for item in checked.scheme.items if not item.owner.strip()]
    if without:
        yield Found("no_owner", values={"kpis": checked.labels(without)})
    yield from not_known(checked, "targets")
    if checked.targets is not None:
        held = current_targets(checked)
        of_people, of_any = set(held.loc[held["scope"] == "person", "kpi"]), set(held["kpi"])
        own = [item.kpi for item in checked.scheme.items if item.scope == "person" and item.kpi in of_any]
        if above := [name for name in own if name not in of_people and "person" in checked.kpis[name].levels]:
            yield Found("not_broken_down", values={"kpis": checked.labels(above)})


RULES = (
    Rule("S16", "warning", smart, from_data=True),
    Rule("S20", "warning", base_and_stretch, needs=("targets",), from_data=True),
    Rule("S21", "note", elastic_band),
    Rule("S22", "warning", attainable, needs=("attainability",), from_data=True),
    Rule("S24", "warning", soft_are_measured, from_data=True, applies=has_soft),
    Rule("S27", "warning", owned),
)
