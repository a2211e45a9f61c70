"""Holding a client's tables to the canonical form: what is kept, and every row that is not, by the rule it broke.

Nothing is repaired and nothing disappears: `read = filtered + merged + rejected + kept` for every table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from kpi_research.crm.parsing import read_column
from kpi_research.crm.tables import TABLES, Severity, Table
from kpi_research.errors import InputError, Problem

FINDING_COLUMNS = ["table", "file", "source_row", "rule", "column", "value"]


@dataclass(frozen=True)
class RawTable:
    """A table as a source hands it over: canonical column names, values as text or typed.

    Parameters
    ----------
    frame
        Its index is the row in the source as its owner counts (in a CSV file the header is row 1).
    file
        Where it comes from, for messages.
    left_out
        Rows that the mapping itself left out, by reason (`where deal_stage`, `merged` ...).
    date_format
        `strptime` form of its dates, if ambiguous.
    """

    frame: pd.DataFrame
    file: str
    left_out: Mapping[str, int] = field(default_factory=dict)
    date_format: str | None = None


@dataclass(frozen=True)
class Contract:
    """A client's tables after the check.

    Parameters
    ----------
    tables
        Kept rows by canonical name: canonical columns in canonical order, typed.
    rejected
        One row a broken rule: `table, file, source_row, rule, column, value`. A row may break several.
    counted
        Same columns: rows that are kept although a reference finds no partner.
    row_counts
        `table, file, read, left_out, rejected, kept`.
    """

    tables: Mapping[str, pd.DataFrame]
    rejected: pd.DataFrame
    counted: pd.DataFrame
    row_counts: pd.DataFrame

    @property
    def missing(self) -> tuple[str, ...]:
        """Canonical tables that this client does not have."""
        return tuple(name for name in TABLES if name not in self.tables)


def hold_to_contract(raw: Mapping[str, RawTable], *, timezone: str = "Asia/Shanghai") -> Contract:
    """Check every table, then every reference between tables.

    Raises
    ------
    InputError
        If a table or column is not canonical, or a needed column is missing: all of them at once.
    """
    if problems := [problem for name, table in raw.items() for problem in _shape_problems(name, table)]:
        raise InputError(problems)
    kept: dict[str, pd.DataFrame] = {}
    rejected: list[pd.DataFrame] = []
    counted: list[pd.DataFrame] = []
    for name in (name for name in TABLES if name in raw):
        table, source = TABLES[name], raw[name]
        frame, broken = _read(table, source, timezone)
        frame = frame.drop(index=_rows(broken))
        broken += _row_rules(table, source, frame)
        frame = frame.drop(index=_rows(broken), errors="ignore")
        for finding, severity in _references(table, source, frame, kept):
            (broken if severity == "reject" else counted).append(finding)
        rejected += broken
        kept[name] = frame.drop(index=_rows(broken), errors="ignore")
    return Contract(kept, _table_of(rejected), _table_of(counted), _row_counts(raw, kept))


def _shape_problems(name: str, raw: RawTable) -> list[Problem]:
    if name not in TABLES:
        values = {"table": name}
        return [Problem("contract.unknown_table", raw.file, values, given=name, allowed=tuple(TABLES))]
    columns = TABLES[name].columns
    unknown = [
        Problem("contract.unknown_column", raw.file, {"table": name, "column": column}, column, tuple(columns))
        for column in raw.frame.columns
        if column not in columns
    ]
    missing = [
        Problem("contract.missing_column", raw.file, {"table": name, "column": column})
        for column, spec in columns.items()
        if not spec.nullable and column not in raw.frame.columns
    ]
    return unknown + missing


def _read(table: Table, raw: RawTable, timezone: str) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """The typed frame, and the cells that could not be read or are missing."""
    typed, broken = {}, []
    for name, column in table.columns.items():
        source = raw.frame[name] if name in raw.frame else pd.Series(None, index=raw.frame.index, dtype="string")
        typed[name], rules = read_column(source, column, timezone=timezone, date_format=raw.date_format)
        if not column.nullable:
            unreadable = pd.concat(rules, axis=1).any(axis=1) if rules else False
            rules = {**rules, "missing_value": typed[name].isna() & ~unreadable}
        for rule, mask in rules.items():
            broken.append(_finding(table, raw, mask, rule, name, source))
    return pd.DataFrame(typed, index=raw.frame.index), [finding for finding in broken if len(finding)]


def _row_rules(table: Table, raw: RawTable, frame: pd.DataFrame) -> list[pd.DataFrame]:
    """Rows that repeat a key or break a rule of their table, among those of which every cell could be read."""
    again = frame.duplicated(list(table.key), keep="first") & frame[list(table.key)].notna().any(axis=1)
    keys = frame[list(table.key)].astype("string").agg(" / ".join, axis=1) if again.any() else frame[table.key[0]]
    findings = [_finding(table, raw, again, "duplicate_key", ", ".join(table.key), keys)]
    for rule in table.rules:
        fails = ~rule.passes(frame).fillna(False).astype(bool)
        findings.append(_finding(table, raw, fails, rule.name, "", None))
    return [finding for finding in findings if len(finding)]


def _references(
    table: Table, raw: RawTable, frame: pd.DataFrame, kept: Mapping[str, pd.DataFrame]
) -> list[tuple[pd.DataFrame, Severity]]:
    """Rows whose reference finds no partner in a table that the client has."""
    found: list[tuple[pd.DataFrame, Severity]] = []
    for name, column in table.columns.items():
        if column.refers is None or column.refers not in kept:
            continue
        key = TABLES[column.refers].key[0]
        orphan = frame[name].notna() & ~frame[name].isin(kept[column.refers][key])
        finding = _finding(table, raw, orphan, f"not_in_{column.refers}", name, frame[name])
        if len(finding):
            found.append((finding, column.unmatched))
    return found


def _finding(
    table: Table, raw: RawTable, mask: pd.Series, rule: str, column: str, values: pd.Series | None
) -> pd.DataFrame:
    rows = mask.index[mask.to_numpy(dtype=bool)]
    shown = "" if values is None else values.loc[rows].astype("string").fillna("").to_numpy()
    return pd.DataFrame(
        {"table": table.name, "file": raw.file, "source_row": rows, "rule": rule, "column": column, "value": shown},
        columns=FINDING_COLUMNS,
    )


def _rows(findings: list[pd.DataFrame]) -> pd.Index:
    return pd.Index([]) if not findings else pd.Index(pd.concat(findings)["source_row"].unique())


def _table_of(findings: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(findings, ignore_index=True) if findings else pd.DataFrame(columns=FINDING_COLUMNS)


def _row_counts(raw: Mapping[str, RawTable], kept: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    rows = []
    for name, frame in kept.items():
        source = raw[name]
        left_out = sum(source.left_out.values())
        given = len(source.frame)
        rows.append((name, source.file, given + left_out, left_out, given - len(frame), len(frame)))
    return pd.DataFrame(rows, columns=["table", "file", "read", "left_out", "rejected", "kept"])
