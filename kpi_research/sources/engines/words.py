"""What a driver hands over, as the text that a person would read."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any


def text_of(value: Any) -> str | None:
    """A cell as text; nothing of it is rounded.

    Keys that are bytes and no text (a UUID in sixteen of them) become their hexadecimal digits: they still tell records
    apart.
    """
    if value is None:
        return None
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.hex()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(int(value.total_seconds()), 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
    return value.isoformat(sep=" ") if isinstance(value, dt.datetime) else str(value)
