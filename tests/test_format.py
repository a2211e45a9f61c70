"""How values read, as lists written by hand, and how the cells of a table do."""

import datetime as dt
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from test_page import Parsed, table

from kpi_research.report.block import Block, ColumnView, DataTable
from kpi_research.report.format import MISSING, format_interval, format_money, format_value
from kpi_research.report.html import block_html

MONEY = [
    (0, "0", "CNY 0"),
    (-0.3, "0", "CNY 0"),
    (9_876, "9,876", "CNY 9,876"),
    (9_999.6, "1.0万", "CNY 10.0K"),
    (98_760, "9.9万", "CNY 98.8K"),
    (999_950, "100.0万", "CNY 1.0M"),
    (12_346_000, "1,234.6万", "CNY 12.3M"),
    (99_949_999, "9,995.0万", "CNY 99.9M"),
    (99_999_999, "1.0亿", "CNY 100.0M"),
    (-52_300, "-5.2万", "CNY -52.3K"),
    (123_456_789, "1.2亿", "CNY 123.5M"),
    (2_500_000_000, "25.0亿", "CNY 2.5B"),
]


@pytest.mark.parametrize(("amount", "zh", "en"), MONEY)
def test_money_in_short_form(amount: float, zh: str, en: str) -> None:
    assert tuple(format_money(amount, language, currency="CNY") for language in ("zh", "en")) == (zh, en)
    assert format_value(Decimal(str(amount)), "money", "zh", currency="CNY") == zh


def test_money_of_another_country_and_to_the_cent() -> None:
    assert format_money(12_346_000, "zh", currency="USD") == "USD 1,234.6万"
    assert format_money(12_346_000.5, "zh", currency="CNY", exact=True) == "12,346,000.50"
    assert format_money(12_346_000.5, "en", currency="USD", exact=True) == "USD 12,346,000.50"


@pytest.mark.parametrize(
    ("value", "unit", "zh", "en"),
    [
        (0.632, "share", "63.2%", "63.2%"),
        (1.1236, "share", "112.4%", "112.4%"),
        (-0.0001, "share", "0.0%", "0.0%"),
        (1234, "count", "1,234", "1,234"),
        (0.0349, "probability", "0.035", "0.035"),
        (9e-23, "probability", "<0.001", "<0.001"),
        (np.float64(12.6), "count", "13", "13"),
        (86.44, "points", "86.4", "86.4"),
        (12.5, "days", "12.5天", "12.5 days"),
        (1, "days", "1天", "1 day"),
        (6.4, "hours", "6.4小时", "6.4 hours"),
        (42.2, "nps", "+42", "+42"),
        (-8, "nps", "-8", "-8"),
        (0.2, "nps", "0", "0"),
        (0.00412, "number", "0.0041", "0.0041"),
        (-0.153, "number", "-0.15", "-0.15"),
        (12345.6, "number", "12,346", "12,346"),
        (dt.date(2026, 7, 15), "date", "2026年7月15日", "Jul 15, 2026"),
        (pd.Timestamp("2026-07-15 08:00"), "date", "2026年7月15日", "Jul 15, 2026"),
        ("<b>", "text", "<b>", "<b>"),
    ],
)
def test_other_units(value: object, unit: str, zh: str, en: str) -> None:
    assert tuple(format_value(value, unit, language, currency="CNY") for language in ("zh", "en")) == (zh, en)


@pytest.mark.parametrize("nothing", [None, float("nan"), pd.NA, pd.NaT, np.nan, float("inf"), "", "  ", Decimal("NaN")])
@pytest.mark.parametrize("unit", ["money", "count", "share", "date", "text", "nps", "days"])
def test_what_is_missing_reads_as_a_dash(nothing: object, unit: str) -> None:
    assert format_value(nothing, unit, "zh", currency="CNY") == MISSING


@pytest.mark.parametrize(
    ("low", "high", "unit", "zh", "en"),
    [
        (80, 94, "count", "80–94", "80–94"),
        (0.582, 0.681, "share", "58.2–68.1%", "58.2–68.1%"),
        (10.2, 14.8, "days", "10.2–14.8天", "10.2–14.8 days"),
        (1_100_000, 1_300_000, "money", "110.0万–130.0万", "CNY 1.1M–1.3M"),
        (-5, 12, "nps", "-5 至 +12", "-5 to +12"),
        (35, 48, "nps", "+35 至 +48", "+35 to +48"),
        (-0.1, 0.2, "number", "-0.1 至 0.2", "-0.1 to 0.2"),
        (float("nan"), 0.2, "number", "", ""),
    ],
)
def test_intervals(low: float, high: float, unit: str, zh: str, en: str) -> None:
    shown = [format_interval(low, high, unit, language, currency="CNY") for language in ("zh", "en")]
    assert shown == [zh, en]


def test_a_narrow_table_is_no_scrolling_region() -> None:
    narrow = DataTable(pd.DataFrame({"a": ["x"], "b": [1]}), (ColumnView("a", "A"), ColumnView("b", "B", "count")), "c")
    assert "tabindex" not in block_html(Block("t", "T", table=narrow), "en", currency="CNY")
    assert "stacks" in block_html(Block("t", "T", table=table(rows=12)), "en", currency="CNY")
    assert "stacks" not in block_html(Block("t", "T", table=table(rows=13)), "en", currency="CNY")


def test_words_break_only_where_they_would_not_fit() -> None:
    def cells(text: str) -> str:
        made = DataTable(pd.DataFrame({"a": [text]}), (ColumnView("a", "A"),), "c")
        return block_html(Block("t", "T", table=made), "en", currency="CNY")

    assert 'class="long"' in cells("x" * 30) and 'class="long"' in cells("a " + "y" * 30)
    assert all('class="long"' not in cells(text) for text in ("Associated (C)", "客户净推荐值" * 20, "a b " * 40))
    assert "stacks" in cells("Associated: results tend to be higher in the months after.") and "stacks" not in cells(
        "x"
    )


def test_cells_read_as_they_should() -> None:
    html = block_html(Block("t", "T", table=table()), "zh", currency="CNY")
    assert '<span title="12,346,000.00">1,234.6万</span>' in html
    assert '<span>86.4</span> <span class="range">80.0–94.0</span>' in html
    assert html.count('<span aria-hidden="true">—</span><span class="unseen">无数据</span>') == 3
    assert "良好" in html and "缺数据" in html and not re.search(r"\bnan\b|&lt;NA&gt;|None", html)
    english = block_html(Block("t", "T", table=table()), "en", currency="USD")
    assert all(words in english for words in ("USD 12.3M", "no data", "Good"))


def test_an_empty_table_keeps_its_headers() -> None:
    parsed = Parsed(
        block_html(Block("t", "T", table=DataTable(table().frame[:0], table().columns, "c")), "en", currency="CNY")
    )
    assert len(parsed.all("th")) == 6 and not parsed.all("td")
