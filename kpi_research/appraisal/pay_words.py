"""Arithmetic of pay in words, in both languages, so that the person paid can check it with pencil and paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from kpi_research.appraisal.incentives import SCORE_DECIMALS, PayCurve, rounded
from kpi_research.appraisal.largest_remainder import exact
from kpi_research.kpis.custom import Label
from kpi_research.language import LANGUAGES, Bilingual, say

Words = dict[str, str]


@dataclass(frozen=True)
class Line:
    """One part of somebody's pay; `cents` is None where it is not known."""

    component: str
    item: str
    cents: int | None
    status: str
    words: Words


def cents_of(amount: Fraction) -> int:
    """An amount in hundredths of the currency, halves away from zero."""
    return int(rounded(amount * 100, 0))


def paid_score(score: float) -> Fraction:
    """The score that is paid: as it is printed."""
    return rounded(exact(float(score)), SCORE_DECIMALS)


def worded(key: str, /, **values: object) -> Words:
    """The sentence in both languages; values that are bilingual are taken in the same one."""
    return {
        language: say(key, language, **{name: _in(value, language) for name, value in values.items()})
        for language in LANGUAGES
    }


def curve_words(curve: PayCurve, score: Fraction) -> Words:
    """Where a score lies on a pay curve."""
    low, high = curve.around(score)
    values = {
        "score": f"{float(score):.1f}",
        "low": f"{low.score:g}" if low else "",
        "low_share": share_text(exact(low.share)) if low else "",
        "high": f"{high.score:g}" if high else "",
        "high_share": share_text(exact(high.share)) if high else "",
    }
    if low is None:
        return worded("pay.curve.below", **values)
    if high is None:
        return worded("pay.curve.top", **values)
    return worded("pay.curve.between" if curve.shape == "linear" else "pay.curve.step", **values)


def amount_text(cents: int) -> str:
    """`12,345.60`, from whole hundredths."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole:,}.{rest:02d}"


def share_text(share: Fraction) -> str:
    """`93.25%`, with as many decimals as it has, two at most."""
    return f"{float(share * 100):.2f}".rstrip("0").rstrip(".") + "%"


def figure_text(value: float, unit: str) -> str:
    """A KPI's figure: shares as percent, others as they are."""
    return share_text(exact(value)) if unit == "share" else f"{value:,.2f}".removesuffix(".00")


def _in(value: object, language: str) -> object:
    if isinstance(value, Bilingual | Label):
        return value.zh if language == "zh" else value.en
    return value[language] if isinstance(value, Mapping) else value
