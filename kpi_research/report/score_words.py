"""How a score came about, in words and numbers that the person scored can work through by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kpi_research.appraisal.attainment import WITHIN
from kpi_research.appraisal.scheme import Adjustment, SchemeItem
from kpi_research.kpis.definition import Kpi
from kpi_research.language import Language, say
from kpi_research.report.format import MISSING, format_money, is_missing

FROM_BOTH_SIDES = 1e-12
"""Within this of a limit a figure is at it: what is reached is computed, what is allowed is written."""


@dataclass(frozen=True)
class Words:
    """The language and the currency that figures are written in."""

    language: Language
    currency: str

    def say(self, key: str, **values: Any) -> str:
        """A sentence of `text/forms.toml`."""
        return say(f"forms.{key}", self.language, **values)

    def share(self, value: float) -> str:
        """A share to the hundredth of a percent: `63.62%`; whole percents without decimals."""
        return MISSING if is_missing(value) else f"{_to_two_places(value * 100)}%"

    def points(self, value: float) -> str:
        """Points to the hundredth."""
        return MISSING if is_missing(value) else _to_two_places(value)

    def figure(self, value: float, kpi: Kpi) -> str:
        """A KPI's value with the digits that one needs to reckon with it; a page elsewhere writes it short."""
        if is_missing(value):
            return MISSING
        if kpi.unit == "share":
            return self.share(value)
        if kpi.unit == "money":
            return format_money(value, self.language, currency=self.currency, exact=True).removesuffix(".00")
        shown = _to_two_places(value)
        return say(f"forms.unit.{kpi.unit}", self.language, value=shown) if kpi.unit in ("days", "hours") else shown


def _to_two_places(value: float) -> str:
    """At most two decimals, and none that say nothing."""
    shown = f"{value:,.2f}".rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown


def rule_words(item: SchemeItem, kpi: Kpi, words: Words) -> str:
    """The rule by which a figure becomes points, as it stands on the form before there is a figure."""
    parts = [] if item.steps and item.steps_on == "value" else [words.say(f"rule.{_way(item, kpi)}")]
    if item.steps:
        parts.append(words.say(f"rule.steps_on.{item.steps_on}", steps="".join(_steps(item, kpi, words))))
    else:
        parts.append(words.say("rule.in_proportion"))
        if item.band:
            parts.append(words.say("rule.band", band=words.share(item.band)))
        if item.zero_below:
            parts.append(words.say("rule.zero_below", limit=words.share(item.zero_below)))
        if item.floor:
            parts.append(words.say("rule.floor", floor=words.share(item.floor)))
        parts.append(words.say("rule.cap", cap=words.share(item.cap)))
    if item.scope == "team":
        parts.append(words.say("rule.team"))
    if item.raters:
        raters = [words.say(f"rater.{who}", share=words.share(part / 100)) for who, part in item.raters.items()]
        parts.append(words.say("rule.raters", raters=words.say("comma").join(raters)))
    return "".join(parts)


def _way(item: SchemeItem, kpi: Kpi) -> str:
    """`up`, or how attainment is reckoned where less is better."""
    return "up" if kpi.direction == "up" else item.falling


def _steps(item: SchemeItem, kpi: Kpi, words: Words) -> Iterator[str]:
    for step in item.steps:
        at = words.figure(step.at_least, kpi) if item.steps_on == "value" else words.share(step.at_least)
        yield words.say("rule.step", at=at, share=words.share(step.share))


def change_words(change: Adjustment, kpi: Kpi, words: Words) -> str:
    """What an adjustment takes off, puts on or forbids."""
    side = "above" if change.above is not None else "below"
    limit = change.above if change.above is not None else change.below
    values = {"limit": words.figure(float(limit or 0.0), kpi)}
    if change.effect == "veto":
        return words.say(f"change.veto.{side}", at_most=words.points(change.score_at_most), **values)
    return words.say(
        f"change.{change.effect}.{side}",
        per=words.figure(change.per, kpi),
        points=words.points(change.points),
        most=words.points(change.most),
        **values,
    )


def arithmetic(
    item: SchemeItem, kpi: Kpi, *, actual: float, target: float, attainment: float, points: float, words: Words
) -> str:
    """From figure and target to points, with every number that one needs to do it by hand.

    Parameters
    ----------
    attainment, points
        As `appraisal.score` computed them; the sentence shows how they come about and computes nothing anew.
    """
    share = points / item.weight
    parts = [] if math.isnan(attainment) else [_attained(item, kpi, actual, target, attainment, words)]
    parts += _bounded(item, kpi, actual, attainment, words)
    parts.append(
        words.say(
            "reason.points", share=words.share(share), weight=words.points(item.weight), points=words.points(points)
        )
    )
    return "".join(parts)


def _attained(item: SchemeItem, kpi: Kpi, actual: float, target: float, attainment: float, words: Words) -> str:
    way = _way(item, kpi)
    if way == "inverse" and not actual > 0:
        way = "inverse_of_nothing"
    values = {"actual": words.figure(actual, kpi), "target": words.figure(target, kpi)}
    return words.say(f"reason.{way}", attainment=words.share(attainment), **values)


def _bounded(item: SchemeItem, kpi: Kpi, actual: float, attainment: float, words: Words) -> Iterator[str]:
    """Which of the rule's limits decided, if any did."""
    if item.steps:
        yield _step_reached(item, kpi, actual, attainment, words)
        return
    counted = attainment
    if item.band:
        counted = _outside_band(attainment, item.band)
        inside = counted == 1.0
        kind = "inside" if inside else "above" if attainment > 1 else "below"
        values = {"attainment": words.share(attainment), "band": words.share(item.band)}
        yield words.say(f"reason.band.{kind}", counted=words.share(counted), **values)
    if item.zero_below and attainment + WITHIN < item.zero_below:
        yield words.say("reason.zero_below", limit=words.share(item.zero_below))
    elif counted > item.cap + FROM_BOTH_SIDES:
        yield words.say("reason.cap", cap=words.share(item.cap))
    elif counted < item.floor - FROM_BOTH_SIDES:
        yield words.say("reason.floor", floor=words.share(item.floor))


def _outside_band(attainment: float, band: float) -> float:
    return attainment / (1 - band) if attainment < 1 - band else max(1.0, attainment - band)


def _step_reached(item: SchemeItem, kpi: Kpi, actual: float, attainment: float, words: Words) -> str:
    on_value = item.steps_on == "value"
    figure = actual if on_value else attainment
    shown = [
        words.figure(each, kpi) if on_value else words.share(each)
        for each in (figure, *(s.at_least for s in item.steps))
    ]
    reached = [
        at
        for at, step in zip(shown[1:], item.steps, strict=True)
        if figure >= step.at_least - WITHIN * max(1.0, abs(figure))
    ]
    if not reached:
        return words.say("reason.under_steps", figure=shown[0], first=shown[1])
    return words.say("reason.step", figure=shown[0], at=reached[-1])
