"""Row-wise rules of the canonical tables: true where a row is in order; rows are counted by the name.

A comparison with an empty cell is neither true nor false for an engine; each rule says what it means.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

EARLY = ibis.interval(days=1)


def closed_after_created(rows: ir.Table) -> ir.BooleanValue:
    """An opportunity is closed on or after the day it was created."""
    return rows.closed_at.isnull() | rows.created_at.isnull() | (rows.closed_at >= rows.created_at.truncate("D"))


def closed_when_decided(rows: ir.Table) -> ir.BooleanValue:
    """A won or lost opportunity has a closing time."""
    return ~rows.outcome.isin(["won", "lost"]) | rows.closed_at.notnull()


def left_after_hired(rows: ir.Table) -> ir.BooleanValue:
    """Nobody leaves before being hired."""
    return rows.left_on.isnull() | rows.hired_on.isnull() | (rows.left_on >= rows.hired_on)


def ends_after_start(rows: ir.Table) -> ir.BooleanValue:
    """An assignment ends after it starts."""
    return rows.until.isnull() | rows.since.isnull() | (rows.until >= rows.since)


def recorded_after_occurred(rows: ir.Table) -> ir.BooleanValue:
    """Nothing is on file more than a day before it happened."""
    return rows.recorded_at.isnull() | (rows.recorded_at + EARLY >= rows.occurred_at)


def score_within_scale(rows: ir.Table) -> ir.BooleanValue:
    """A survey score lies on its scale."""
    return rows.score.between(rows.scale_min, rows.scale_max) & (rows.scale_max > rows.scale_min)


def rating_within_scale(rows: ir.Table) -> ir.BooleanValue:
    """A rating lies between zero and its highest mark, where that is on file."""
    return (rows.score >= 0) & (rows.scale_max.isnull() | (rows.score <= rows.scale_max))
