"""Parts that add up: an amount shared out in whole steps by the method of the largest remainder.

Rounding each part on its own loses or invents money: a year of 100,000,000 as twelve months of 8,300,000 lacks 400,000.
Here every part is its exact share rounded down, and the steps that are then missing go to the largest remainders, one
each. Arithmetic is in fractions, so that neither the order of the parts nor the last digit of a sum decides anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from kpi_research.errors import InputError, Problem


def exact(number: float | int | Fraction) -> Fraction:
    """The number as it is written: 0.1 is one tenth, not the nearest binary fraction."""
    return number if isinstance(number, Fraction) else Fraction(Decimal(repr(number)))


def steps_in(amount: float, step: float) -> int:
    """How many steps an amount has.

    Raises
    ------
    InputError
        If it is not a whole number of them.
    """
    count = exact(amount) / exact(step)
    if count.denominator != 1:
        raise InputError(Problem("goals.not_in_steps", values={"amount": f"{amount:,.10g}", "step": f"{step:,.10g}"}))
    return count.numerator


def apportion(
    total: int, weights: Mapping[str, Fraction], owed: Mapping[str, Fraction] | None = None
) -> dict[str, int]:
    """A whole number shared out by weights, in whole parts whose sum is `total`.

    Every part is its exact share rounded down or up; a part without weight is 0, and none has another sign than the
    total. Among equal remainders the larger weight goes first, then the name that sorts first.

    Parameters
    ----------
    total
        Steps to be shared out; may be negative.
    weights
        By name of the part; at least one above zero, none below.
    owed
        Steps that earlier rounding took from a part (gave it, where negative): who is owed more is rounded up first, so
        that of two equal people not always the same one gets the odd step.

    Raises
    ------
    InputError
        If a weight is negative, or none is above zero.

    Notes
    -----
    Hamilton's method, of 1792: M. L. Balinski and H. P. Young (2001), Fair Representation, 2nd ed., ch. 3.
    """
    whole = sum(weights.values(), Fraction(0))
    if min(weights.values(), default=Fraction(0)) < 0 or not whole > 0:
        raise InputError(Problem("goals.no_weight", values={"parts": ", ".join(sorted(weights)[:5]) or "-"}))
    sign, owed = (-1 if total < 0 else 1), owed or {}
    shares = {name: abs(total) * weight / whole for name, weight in weights.items()}
    parts = {name: math.floor(share) for name, share in shares.items()}
    rest = {name: share - parts[name] for name, share in shares.items() if share != parts[name]}
    first = sorted(rest, key=lambda name: (-(rest[name] + sign * owed.get(name, Fraction(0))), -weights[name], name))
    for name in first[: abs(total) - sum(parts.values())]:
        parts[name] += 1
    return {name: sign * part for name, part in parts.items()}
