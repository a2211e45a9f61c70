"""Text from an export, read as what its column is: a typed column, and which cells could not be read.

Frames that are typed already pass through unchanged, so a source may hand over either.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from kpi_research.crm.tables import Column

DATE_FORMATS = ("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%Y年%m月%d日", "%Y%m%d")
POSSIBLE_YEARS = (1990, 2100)
FLAGS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False, "是": True, "否": False}
NULLS = ("", "null", "NULL", "None", "nan", "NaN", "N/A", "n/a", "-", "--", "—")

Broken = dict[str, pd.Series]
"""Rule name -> boolean mask of the cells that broke it."""


def blank_to_null(values: pd.Series) -> pd.Series:
    """Text stripped of surrounding space, with the usual marks of emptiness as null."""
    text = values.astype("string").str.strip()
    return text.mask(text.isin(NULLS))


def read_column(
    values: pd.Series, column: Column, *, timezone: str, date_format: str | None
) -> tuple[pd.Series, Broken]:
    """A column's cells in their type.

    Parameters
    ----------
    values
        Text, or values typed already.
    timezone
        Where times that carry an offset are moved to before the offset is dropped.
    date_format
        `strptime` form of the dates, where the export is known to use one that is ambiguous otherwise.

    Returns
    -------
    The typed Series (unreadable cells null), and for each rule that was broken the mask of cells that broke it.
    """
    if column.kind in ("date", "time"):
        return _times(values, timezone, date_format, whole_days=column.kind == "date")
    return _READERS[column.kind](values, column)


def _text(values: pd.Series, _: Column) -> tuple[pd.Series, Broken]:
    return blank_to_null(values).astype(object).where(lambda text: text.notna(), None), {}


def _identifier(values: pd.Series, _: Column) -> tuple[pd.Series, Broken]:
    text, _none = _text(values, _)
    rounded = text.astype("string").str.fullmatch(r"\d(\.\d+)?[eE]\+\d+").fillna(False).astype(bool)
    return text.mask(rounded, None), {"id_rounded_by_a_spreadsheet": rounded}


def _choice(values: pd.Series, column: Column) -> tuple[pd.Series, Broken]:
    text, _ = _text(values, column)
    foreign = text.notna() & ~text.isin(column.choices)
    return text.mask(foreign, None), {"not_a_choice": foreign}


def _number(values: pd.Series, _: Column) -> tuple[pd.Series, Broken]:
    if pd.api.types.is_numeric_dtype(values):
        number, given = values.astype("float64"), values.notna()
    else:
        text = blank_to_null(values)
        grouped = text.str.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?").fillna(False).astype(bool)
        number = pd.to_numeric(text.mask(grouped, text.str.replace(",", "")), errors="coerce").astype("float64")
        given = text.notna()
    finite = np.isfinite(number)
    return number.where(finite), {"not_a_number": given & ~finite}


def _flag(values: pd.Series, _: Column) -> tuple[pd.Series, Broken]:
    text = blank_to_null(values).str.lower()
    flag = text.map(FLAGS)
    return flag.astype("boolean"), {"not_yes_or_no": text.notna() & flag.isna()}


def _times(values: pd.Series, timezone: str, date_format: str | None, *, whole_days: bool) -> tuple[pd.Series, Broken]:
    if pd.api.types.is_datetime64_any_dtype(values):
        time, given = values, values.notna()
    else:
        text = blank_to_null(values)
        time, given = _parse_times(text, timezone, date_format), text.notna()
    time = time.astype("datetime64[us]")
    impossible = time.notna() & ~time.dt.year.between(*POSSIBLE_YEARS)
    unreadable = given & time.isna()
    time = time.mask(impossible)
    return time.dt.normalize() if whole_days else time, {"not_a_date": unreadable, "impossible_date": impossible}


def _parse_times(text: pd.Series, timezone: str, date_format: str | None) -> pd.Series:
    if date_format:
        return pd.to_datetime(text, format=date_format, errors="coerce").astype("datetime64[us]")
    with_offset = text.str.contains(r"\d(?:Z|[+-]\d{2}:?\d{2})$", regex=True).fillna(False).astype(bool)
    parsed = pd.to_datetime(text.mask(with_offset), format="ISO8601", errors="coerce").astype("datetime64[us]")
    if with_offset.any():
        moved = pd.to_datetime(text[with_offset], format="ISO8601", errors="coerce", utc=True)
        parsed[with_offset] = moved.dt.tz_convert(timezone).dt.tz_localize(None).astype("datetime64[us]")
    for known in DATE_FORMATS:
        rest = text.notna() & parsed.isna()
        if not rest.any():
            break
        parsed[rest] = pd.to_datetime(text[rest], format=known, errors="coerce").astype("datetime64[us]")
    return parsed


_READERS: dict[str, Callable[[pd.Series, Column], tuple[pd.Series, Broken]]] = {
    "id": _identifier,
    "text": _text,
    "choice": _choice,
    "money": _number,
    "number": _number,
    "share": _number,
    "flag": _flag,
}
