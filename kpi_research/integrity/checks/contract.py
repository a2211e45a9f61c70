"""What the contract already met: rows turned away, and references without partner."""

from __future__ import annotations

from collections.abc import Iterator

from kpi_research.integrity.check import NO_ROWS, Given, Measured

UNMATCHED = ("not_in_", "person_")
"""How the rules about references begin: to other tables, and to people by their names."""


def measured(given: Given) -> Iterator[Measured]:
    """Each rule that was broken, with its name as `detail`; that none was, where that is so."""
    counts = given.row_counts.assign(n=given.row_counts["kept"] + given.row_counts["rejected"])
    read = counts.groupby("table")["n"].sum()
    found = [
        Measured(_check(row.rule), row.table, row.column, int(read.get(row.table, 0)), int(row.rows), detail=row.rule)
        for row in given.rules.itertuples()
        if row.severity == "reject" or row.rule.startswith(UNMATCHED)
    ]
    yield from found
    total = int(read.sum())
    broken = {each.check for each in found}
    for name in ("unmatched_reference", "rejected_rows"):
        if name not in broken:
            yield Measured(name, "", "", total, missing="" if total else NO_ROWS)


def _check(rule: str) -> str:
    return "unmatched_reference" if rule.startswith(UNMATCHED) else "rejected_rows"
