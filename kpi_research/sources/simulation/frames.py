"""From codes and arrays to canonical tables: inside the simulation every id is a number, -1 where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from kpi_research.crm.table import ColumnKind
from kpi_research.crm.tables import TABLES

_DTYPES: dict[ColumnKind, Any] = {
    "date": "datetime64[us]",
    "time": "datetime64[us]",
    "money": "float64",
    "number": "float64",
    "share": "float64",
    "flag": "bool",
}


def canonical(name: str, columns: Mapping[str, Any]) -> pd.DataFrame:
    """The canonical table `name`, typed, from some of its columns; the others are empty.

    Raises
    ------
    KeyError
        If a column is not one of the table's.
    """
    known = TABLES[name].columns
    if strange := set(columns) - set(known):
        raise KeyError(f"{name} has no columns {sorted(strange)}")
    rows = next(len(values) for values in columns.values())
    made = {column: _typed(columns.get(column), known[column].kind, rows) for column in known}
    return pd.DataFrame(made)


def ids(prefix: str, count: int, width: int) -> pd.Series:
    """Ids such as `E0001`, `E0002` ... for the codes 0, 1 ..."""
    return prefix + pd.Series(np.arange(1, count + 1)).astype("str").str.zfill(width)


def named(names: pd.Series, codes: np.ndarray) -> pd.Series:
    """The name of each code; empty for -1."""
    return pd.Series(names.astype("str").array.take(codes, allow_fill=True))


def choose(words: tuple[str, ...] | list[str], codes: np.ndarray) -> pd.Series:
    """The word of each code."""
    return named(pd.Series(words, dtype="str"), codes)


def blank(values: pd.Series | np.ndarray, where: np.ndarray) -> pd.Series:
    """The values without those at `where`."""
    return pd.Series(values).mask(where)


def running_number(group: np.ndarray) -> np.ndarray:
    """0, 1, 2 ... within each group, in the order of the rows."""
    return pd.Series(group).groupby(group).cumcount().to_numpy()


def _typed(values: Any, kind: ColumnKind, rows: int) -> pd.Series:
    dtype = _DTYPES.get(kind, "str")
    if values is None:
        return pd.Series(index=range(rows), dtype=dtype)
    column = values.reset_index(drop=True) if isinstance(values, pd.Series) else pd.Series(values)
    return column.astype(dtype).round(2) if kind == "money" else column.astype(dtype)
