"""What happened after a change of the scheme, and what the client's history says to a claim, as blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from kpi_research.evidence.changes import ChangeEffect, Drive
from kpi_research.evidence.claims import Answer
from kpi_research.evidence.event_study import REFERENCE
from kpi_research.evidence.wild_interval import Contrast
from kpi_research.language import say
from kpi_research.report.block import Block, ColumnView, DataTable, Figure
from kpi_research.report.change_charts import beside, half_years
from kpi_research.report.data import PageData
from kpi_research.report.format import Unit, format_value
from kpi_research.report.words import listed, value_of

SUMS: tuple[Unit, ...] = ("money", "count")
"""Units of what people have so much of a month; a share or a score is no amount."""


def change_blocks(page: PageData, found: Iterable[tuple[ChangeEffect, Drive]]) -> Iterator[Block]:
    """A block a change: what it shows first, then the numbers, the design, a picture and a small table."""
    for number, (effect, drive) in enumerate(found, start=1):
        title = say("changes.title", page.language, kpi=page.label(effect.change.kpi))
        kpi = page.inline(effect.change.kpi)
        if effect.effect is None or effect.first_stage is None:
            text = say(f"changes.reason.{effect.reason}", page.language, kpi=kpi)
            yield Block(f"change_{number}", title, text=(text,), status="no_data", facts=_facts(effect, drive))
            continue
        others = listed(map(page.inline, effect.together), page.language)
        gate = say(f"changes.gate.{drive.gate}", page.language, kpi=kpi, others=others)
        yield Block(
            f"change_{number}",
            title,
            text=(gate, _result(page, effect, effect.effect), *_of_chance(page, effect), _design(page, effect)),
            table=_table(page, effect, effect.effect, effect.first_stage),
            figure=_picture(page, effect),
            notes=(*_notes(page, effect),),
            facts=_facts(effect, drive),
            status="ok" if drive.code else "warning",
        )


def claim_blocks(page: PageData, answers: Iterable[Answer]) -> Iterator[Block]:
    """A block a claim: how often as much came without the product."""
    for number, given in enumerate(answers, start=1):
        claim = given.claim
        name, kpi = f"claim_{number}", page.inline(claim.kpi)
        title = say("claims.title", page.language, kpi=page.label(claim.kpi))
        key = "claims.claim_by" if claim.source else "claims.claim"
        said = say(key, page.language, source=claim.source, before=claim.before.name, after=claim.after.name,
                   kpi=kpi, size=_size(page, given, claim.size))  # fmt: skip
        if given.status != "ok":
            reply = say(f"claims.{given.status}", page.language, kpi=kpi, count=given.comparables)
            yield Block(name, title, text=(said, reply), status="no_data", facts=_answer_facts(given))
            continue
        notes = (
            say("claims.note.overlap", page.language, distinct=given.distinct),
            say("claims.note.no_comparison", page.language),
        )
        yield Block(name, title, text=(said, *_replies(page, given)), notes=notes, facts=_answer_facts(given))


def _result(page: PageData, found: ChangeEffect, effect: Contrast) -> str:
    outcome = page.inline(found.outcome)
    stem = "step" if found.design == "interrupted" else "result"
    kind = "unknown" if np.isnan(effect.low) else {1: "up", -1: "down", 0: "none"}[effect.sign]
    is_told = kind in ("up", "down")
    value = abs(effect.value) if is_told else effect.value
    low, high = (effect.low, effect.high) if kind != "down" else (-effect.high, -effect.low)
    words = {"outcome": outcome, "x": _difference(page, found.outcome, value), "per": _per(page, found.outcome),
             "range": _range(page, found.outcome, low, high)}  # fmt: skip
    parts = [say(f"changes.{stem}.{kind}", page.language, **words)]
    if is_told and not np.isnan(found.per_unit_low):
        per_unit = say(
            "changes.per_unit",
            page.language,
            kpi=page.inline(found.change.kpi),
            outcome=outcome,
            x=_difference(page, found.outcome, found.per_unit),
            range=_range(page, found.outcome, found.per_unit_low, found.per_unit_high),
        )
        parts.append(per_unit)
    return "".join(parts) if page.language == "zh" else " ".join(parts)


def _of_chance(page: PageData, found: ChangeEffect) -> Iterator[str]:
    if found.chance is None or not found.is_chance_asked:
        return
    beyond, outcome = found.chance.beyond, found.outcome
    interval = _range(page, outcome, beyond.low, beyond.high)
    yield say(
        "changes.chance",
        page.language,
        outcome=page.inline(outcome),
        per=_per(page, outcome),
        rise=_difference(page, outcome, found.chance.rise),
        by_chance=_difference(page, outcome, found.chance.by_chance),
        beyond=_difference(page, outcome, beyond.value),
        range=say("changes.chance_unsure", page.language)
        if np.isnan(beyond.low)
        else say("changes.chance_range", page.language, range=interval),
    )


def _design(page: PageData, found: ChangeEffect) -> str:
    return say(
        f"changes.design.{found.design}",
        page.language,
        kpi=page.inline(found.change.kpi),
        teams=found.n_teams,
        changed=found.n_changed_teams,
        donors=found.n_donors,
    )


def _notes(page: PageData, found: ChangeEffect) -> Iterator[str]:
    def shown(value: float) -> str:
        return _difference(page, found.outcome, value)

    if not np.isnan(found.honest_low):
        interval = _range(page, found.outcome, found.honest_low, found.honest_high)
        yield say("changes.note.honest", page.language, range=interval)
    if found.event is not None and found.event.trend is not None and not np.isnan(found.event.effect.low):
        yield say("changes.note.trend", page.language, x=shown(found.event.trend.visible_bias))
    if found.synthetic is not None:
        share = format_value(found.synthetic.p, "share", page.language, currency="")
        yield say("changes.note.rank", page.language, share=share)
        if not np.isnan(found.synthetic.backdated):
            yield say("changes.note.backdated", page.language, x=shown(found.synthetic.backdated))
    if found.differences is not None:
        interval = _range(page, found.outcome, found.differences.low, found.differences.high)
        yield say("changes.note.differences", page.language, x=shown(found.differences.effect), range=interval)
    if found.change.note:
        yield say("changes.note.words", page.language, note=found.change.note)


def _table(page: PageData, found: ChangeEffect, effect: Contrast, first: Contrast) -> DataTable:
    rows = [
        {"label": page.label(kpi), "change": one.value, "change_low": one.low, "change_high": one.high,
         "change_format": _unit(page, kpi)}
        for kpi, one in ((found.change.kpi, first), (found.outcome, effect))
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    is_share = frame["change_format"].eq("points")
    for key in ("change", "change_low", "change_high"):
        frame[key] = frame[key].where(~is_share, frame[key] * 100).where(np.isfinite(frame[key]))
    columns = (
        ColumnView("label", say("changes.column.what", page.language)),
        ColumnView("change", say("changes.column.change", page.language), "number"),
    )
    return DataTable(frame, columns, say("changes.caption", page.language))


def _picture(page: PageData, found: ChangeEffect) -> Figure:
    unit = _unit(page, found.outcome)
    factor = 100.0 if unit == "points" else 1.0
    if found.event is not None:
        seen = {**found.event.by_half_year, REFERENCE: Contrast(0.0, 0.0, np.nan, np.nan, np.nan)}
        rows = pd.DataFrame(
            [(b, *(factor * v for v in (seen[b].value, *_drawn(seen[b])))) for b in sorted(seen)],
            columns=["half_year", "value", "low", "high"],
        )
        caption = say("changes.figure.half_years", page.language)
        return half_years(rows, page.language, unit=unit, currency=page.currency, caption=caption)
    lines = [(made.actual, made.mixture) for made in [found.synthetic] if made is not None]
    lines += [(made.actual, made.expected) for made in [found.series] if made is not None]
    ((actual, compared),) = lines
    rows = pd.DataFrame({"label": found.periods, "value": factor * actual, "compared": factor * compared})
    caption = say("changes.figure.beside", page.language)
    first = min(found.change.starts.values()).strftime("%Y-%m")
    start = int(np.searchsorted(np.array(found.periods), first))
    return beside(rows, page.language, start=start, unit=unit, currency=page.currency, caption=caption)


def _drawn(one: Contrast) -> tuple[float, float]:
    """The interval where it has two ends."""
    return (one.low, one.high) if np.isfinite([one.low, one.high]).all() else (np.nan, np.nan)


def _replies(page: PageData, given: Answer) -> Iterator[str]:
    key = "claims.said_season" if given.same_season else "claims.said"
    yield say(key, page.language, count=given.as_claimed, all=given.comparables)
    if not np.isnan(given.observed):
        kind = "observed" if given.observed * given.claim.size > 0 else "observed_otherwise"
        observed = _size(page, given, given.observed)
        yield say(f"claims.{kind}", page.language, observed=observed, count=given.as_observed)
    if not np.isnan(given.expected):
        yield say(
            "claims.expected",
            page.language,
            before=given.claim.before.name,
            expected=_size(page, given, given.expected),
            share=format_value(given.as_claimed_then, "share", page.language, currency=""),
        )


def _size(page: PageData, given: Answer, size: float) -> str:
    """`+30%`, or `+30.0 percentage points`."""
    if given.claim.form == "relative":
        return f"{100 * size:+.1f}%"
    return say("changes.points", page.language, points=f"{100 * size:+.1f}")


def _unit(page: PageData, kpi: str) -> Unit:
    """The unit of a difference: of shares that is points, and counts get decimals."""
    unit: Unit = page.kpis[kpi].unit
    return {"share": "points", "count": "number", "nps": "number"}.get(unit, unit)  # type: ignore[return-value]


def _difference(page: PageData, kpi: str, value: float) -> str:
    if page.kpis[kpi].unit == "share":
        return say("changes.points", page.language, points=f"{100 * value:.1f}")
    return value_of(page, value, _unit(page, kpi))


def _range(page: PageData, kpi: str, low: float, high: float) -> str:
    """Both ends of an interval; an end that is nowhere is said to be none."""
    is_share = page.kpis[kpi].unit == "share"
    ends = [
        say("changes.open_end", page.language)
        if np.isinf(end)
        else f"{100 * end:.1f}"
        if is_share
        else _difference(page, kpi, end)
        for end in (low, high)
    ]
    both = say("page.interval.signed", page.language, low=ends[0], high=ends[1])
    return say("changes.points", page.language, points=both) if is_share else both


def _per(page: PageData, kpi: str) -> str:
    return say("changes.per", page.language) if page.kpis[kpi].unit in SUMS else ""


def _facts(found: ChangeEffect, drive: Drive) -> dict[str, Any]:
    """Every number of the block, and which condition decided."""
    facts: dict[str, Any] = {
        "kpi": found.change.kpi,
        "outcome": found.outcome,
        "starts": {team: day.isoformat() for team, day in found.change.starts.items()},
        "change_reason": found.change.reason,
        "code": drive.code,
        "gate": drive.gate,
        "together": list(found.together),
    }
    facts |= {name: getattr(found, name) for name in _NUMBERS}
    for name, one in (("effect", found.effect), ("first_stage", found.first_stage)):
        facts[name] = asdict(one) if one is not None else None
    if found.chance is not None:
        facts["chance"] = asdict(found.chance)
    if found.event is not None:
        facts["by_half_year"] = {str(b): asdict(one) for b, one in found.event.by_half_year.items()}
        facts["trend"] = asdict(found.event.trend) if found.event.trend is not None else None
    if found.synthetic is not None:
        facts["synthetic"] = {name: np.asarray(each).tolist() for name, each in asdict(found.synthetic).items()}
    if found.differences is not None:
        facts["differences"] = {name: np.asarray(each).tolist() for name, each in asdict(found.differences).items()}
    if found.series is not None:
        facts["series"] = {name: np.asarray(each).tolist() for name, each in asdict(found.series).items()}
    return facts


_NUMBERS = (
    "design", "reason", "honest_low", "honest_high", "per_unit", "per_unit_low", "per_unit_high", "n_teams",
    "n_changed_teams", "n_people", "donors",
)  # fmt: skip


def _answer_facts(given: Answer) -> dict[str, Any]:
    facts = asdict(given)
    claim = facts.pop("claim") | {"before": given.claim.before.name, "after": given.claim.after.name}
    return {"claim": claim, **facts, "changes": given.changes.tolist()}
