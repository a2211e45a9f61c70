"""A rush before a period's end and a lull after it: what belonged to the next period was pulled into this one.

Around every end the last three working days of a period and the first three of the next are compared with the seven
working days beyond them on either side. A slow rise or fall and a new level in the new period are none. Only where
both show, the rush and the lull, something was moved; more work before an end that nobody pays for later is not. A
company's customers may themselves buy at the end of their year, and a long holiday after an end does the same.

Oyer (1998), Fiscal year ends and nonlinear incentive contracts, QJE 113(1), 149-185; Larkin (2014), The cost of
high-powered incentives, Journal of Labor Economics 32(2), 199-227.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpi_research.integrity.signs import LEAST_PER_PERSON, FloatArray, IntArray, Sign, one_sided_t, people_found
from kpi_research.integrity.signs import resampled_share as resampled
from kpi_research.policy import RESAMPLES

LAST_DAYS = 3
"""Working days on each side of an end that a rush and a lull are looked for in."""
SIDE = 10
"""Working days on each side that are looked at: less than half a month, so that ends do not meet."""
LEAST_ENDS = 6
"""Ends without which their spread is not known."""
EVEN = LAST_DAYS / SIDE
"""The share of the last three working days in the last ten if nothing depends on the end."""
USUAL = LAST_DAYS / (SIDE - LAST_DAYS)
"""Three working days by the seven beside them."""


@dataclass(frozen=True)
class Around:
    """Counts by person and end, N x E: in the three working days before it and after it, and in the seven beyond."""

    before: FloatArray
    after: FloatArray
    quiet_before: FloatArray
    quiet_after: FloatArray


def around_ends(counts: FloatArray, ends: IntArray) -> Around:
    """What lies around each end.

    Parameters
    ----------
    counts
        N people x D working days: how many rows each day has.
    ends
        Place of the first working day after each end; those without `SIDE` days on both sides are left out.
    """
    whole = ends[(ends >= SIDE) & (ends + SIDE <= counts.shape[1])]
    total = np.concatenate([np.zeros((len(counts), 1)), counts.cumsum(axis=1)], axis=1)

    def between(first: int, last: int) -> FloatArray:
        return np.asarray(total[:, whole + last] - total[:, whole + first], dtype=float)

    return Around(
        between(-LAST_DAYS, 0), between(0, LAST_DAYS), between(-SIDE, -LAST_DAYS), between(LAST_DAYS, SIDE)
    )  # fmt: skip


def period_end(counts: FloatArray, ends: IntArray, *, rng: np.random.Generator) -> Sign:
    """Whether there is a rush before ends and a lull after them.

    `rate` is the share of the last three working days in the last ten before an end; its interval is that of ends drawn
    again. `p` is the larger one of the rush's and the lull's, each from a t test over ends: both must show, so that far
    fewer than one in twenty even companies are called rushed, and of those with a third of the first days' rows pulled
    ahead nearly all (`tests/test_gaming_detectors.py`).

    Parameters
    ----------
    counts, ends
        As in `around_ends`.
    """
    seen = around_ends(counts, ends)
    ten = seen.before + seen.quiet_before
    n = int(ten.sum())
    if ten.shape[1] < LEAST_ENDS:
        return Sign("period_end", n=n, reason="few_periods")
    if n < LEAST_PER_PERSON * LEAST_ENDS:
        return Sign("period_end", n=n, reason="too_few")
    parts = (seen.before, seen.after, seen.quiet_before, seen.quiet_after)
    company = Around(*(part.sum(axis=0, keepdims=True) for part in parts))
    low, high = resampled(company.before[0], ten.sum(axis=0), rng, RESAMPLES)
    alone = np.where(ten.sum(axis=1) >= LEAST_PER_PERSON, _moved(seen), np.nan)
    rate, p = float(company.before.sum() / n), float(_moved(company)[0])
    return Sign("period_end", rate, low, high, EVEN, p, n, *people_found(alone))


def _moved(seen: Around) -> FloatArray:
    """By person, chance of such a rush and of such a lull, the largest of four.

    Each is held against the quiet days of its own side, so that a level that changes with the period is none, and
    against those of both sides, so that a rise across the end is none.
    """
    both = (seen.quiet_before + seen.quiet_after) / 2
    rush = [seen.before - USUAL * quiet for quiet in (seen.quiet_before, both)]
    lull = [USUAL * quiet - seen.after for quiet in (seen.quiet_after, both)]
    return np.asarray(np.max([one_sided_t(each) for each in (*rush, *lull)], axis=0), dtype=float)
