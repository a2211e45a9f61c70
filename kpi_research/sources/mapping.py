"""How an export's columns and values become canonical ones: the `source:` part of a client file, and its use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from kpi_research.crm.contract import RawTable
from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError, Problem


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TableMapping(_Strict):
    """One canonical table out of one file.

    Parameters
    ----------
    columns
        The file's column -> canonical column, or several of them.
    values
        Canonical column -> {value in the file: canonical value}; values not named stay as they are.
    constants
        Canonical column -> the same value in every row.
    where
        The file's column -> the value or values that a row must have to be taken.
    distinct
        Whether equal rows are one (a list of teams read from a list of people).
    dates
        `strptime` form of this file's dates, where they would be ambiguous.
    encoding
        The file's encoding, where it is not UTF-8, UTF-16 with a mark, or GB18030.
    """

    file: str
    columns: dict[str, str | list[str]]
    values: dict[str, dict[str, str]] = {}
    constants: dict[str, str] = {}
    where: dict[str, str | list[str]] = {}
    distinct: bool = False
    dates: str | None = None
    encoding: str | None = None


class FilesSource(_Strict):
    """CSV files with an explicit mapping."""

    kind: Literal["files"]
    path: str
    tables: dict[str, TableMapping]


class CanonicalSource(_Strict):
    """A folder of canonical tables, each `<table>.csv` or `<table>.parquet`."""

    kind: Literal["canonical"]
    path: str


class SimulatedSource(_Strict):
    """A made-up company whose truth is known."""

    kind: Literal["simulated"]
    people: int = Field(40, ge=4, le=5000)
    teams: int = Field(5, ge=1, le=200)
    first_month: str = Field("2024-07", pattern=r"^\d{4}-(0[1-9]|1[0-2])$")
    months: int = Field(27, ge=3, le=240)
    driver_effect: float = Field(0.22, ge=0, le=2)
    seed: int = 20251001


Source = Annotated[FilesSource | CanonicalSource | SimulatedSource, Field(discriminator="kind")]


def apply_mapping(name: str, export: pd.DataFrame, mapping: TableMapping) -> RawTable:
    """A canonical table out of an export's rows.

    Parameters
    ----------
    name
        Canonical table.
    export
        All columns as text; its index is the row number in the file.

    Raises
    ------
    InputError
        For every column that the file or the canonical table does not have.
    """
    if problems := list(mapping_problems(name, export, mapping)):
        raise InputError(problems)
    left_out: dict[str, int] = {}
    rows = export
    for column, wanted in mapping.where.items():
        matching = rows[column].str.strip().isin([wanted] if isinstance(wanted, str) else wanted)
        left_out[f"where {column}"] = int((~matching).sum())
        rows = rows[matching]
    frame = pd.DataFrame(index=rows.index)
    for source, target in _pairs(mapping):
        frame[target] = rows[source]
    for target, value in mapping.constants.items():
        frame[target] = value
    for target, renamed in mapping.values.items():
        frame[target] = frame[target].str.strip().replace(renamed)
    if mapping.distinct:
        again = frame.duplicated()
        left_out["merged"] = int(again.sum())
        frame = frame[~again]
    return RawTable(frame, mapping.file, {why: count for why, count in left_out.items() if count}, mapping.dates)


def mapping_problems(name: str, export: pd.DataFrame, mapping: TableMapping) -> Iterator[Problem]:
    """Everything in a mapping that its file or its canonical table does not have."""
    if name not in TABLES:
        yield Problem("contract.unknown_table", values={"table": name}, given=name, allowed=tuple(TABLES))
        return
    headers, canonical = tuple(export.columns), tuple(TABLES[name].columns)
    for source in [*mapping.columns, *mapping.where]:
        if source not in headers:
            yield Problem("source.no_such_column", mapping.file, {"column": source, "table": name}, source, headers)
    given = [target for _, target in _pairs(mapping)] + list(mapping.constants)
    for target in dict.fromkeys([*given, *mapping.values]):
        if target not in canonical:
            values = {"table": name, "column": target}
            yield Problem("contract.unknown_column", mapping.file, values, target, canonical)
        elif given.count(target) > 1:
            yield Problem("source.mapped_twice", mapping.file, {"column": target, "table": name})
        elif target not in given:
            yield Problem("source.values_without_column", mapping.file, {"column": target, "table": name})


def _pairs(mapping: TableMapping) -> list[tuple[str, str]]:
    return [
        (source, target)
        for source, targets in mapping.columns.items()
        for target in ([targets] if isinstance(targets, str) else targets)
    ]
