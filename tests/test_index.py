"""The front door: grouped, counted, with reasons, deaf to hostile names; and the contrast of every page."""

import base64
import datetime as dt
import hashlib
import re
from typing import Any

import pytest
from test_page import HOSTILE, Parsed

from kpi_research.report.html import TEMPLATES
from kpi_research.report.index import FILTER_FROM, IndexEntry, index_html


def entries(count: int, **changes: Any) -> list[IndexEntry]:
    return [
        IndexEntry("person", f"人{i}", "记分卡", f"people/{i}.html", f"E{i}", "good", **changes) for i in range(count)
    ]


def test_index_groups_counts_and_gives_reasons() -> None:
    listed = [
        *entries(2),
        IndexEntry("team", "华东", "考核", "", "east", failed=True, reason="缺少 <contracts> 表"),
        IndexEntry("company", "全公司", "证据", "company/evidence.html", tone="poor", headline="没有指标能预测。"),
    ]
    html = index_html(listed, title="安科", language="zh", freshness=dt.date(2026, 10, 8))
    parsed = Parsed(html)
    assert [section["aria-label"] for section in parsed.all("section")] == ["全公司", "团队", "个人"]
    assert [link["href"] for link in parsed.all("a")[1:]] == ["company/evidence.html", "people/0.html", "people/1.html"]
    assert "共 4 份报告,其中 1 份" in html and "缺少 &lt;contracts&gt; 表" in html and "没有指标能预测。" in html
    assert "manifest.json" in html
    assert not parsed.all("script") and "All 2 reports were made." in index_html(entries(2), title="x", language="en")


def test_the_only_script_of_the_index_is_named_by_its_hash() -> None:
    html = index_html(entries(FILTER_FROM), title="x", language="en")
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert script == (TEMPLATES / "index.js").read_text(encoding="utf-8")
    assert any(f"script-src 'sha256-{digest}'" in meta.get("content", "") for meta in Parsed(html).all("meta"))
    assert "<script" not in index_html(entries(FILTER_FROM - 1), title="x", language="en")


@pytest.mark.parametrize("text", [*HOSTILE, "javascript:alert(1)"])
def test_hostile_entries_stay_text(text: str) -> None:
    entry = IndexEntry("team", text, text, text, text, "good", text, failed=True, reason=text)
    parsed = Parsed(index_html([entry], title=text, subtitle=text, language="en"))
    assert not parsed.all("script") and not parsed.all("img")
    assert not parsed.all("a")[1]["href"].startswith(("javascript:", "data:", "http"))


def luminance(colour: str) -> float:
    """Relative luminance as in WCAG 2.1."""
    code = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_contrast_in_every_scheme() -> None:
    schemes = re.findall(r":root \{(.*?)\}", (TEMPLATES / "style.css").read_text(encoding="utf-8"), re.DOTALL)
    assert len(schemes) == 3
    for scheme in schemes:
        colours = dict(re.findall(r"--([\w-]+): (#\w+);", scheme))
        pairs = [(ink, ground) for ink in ("ink", "muted", "accent") for ground in ("page", "card")]
        pairs += [("accent", "info-tint"), ("muted", "info-tint")]
        pairs += [(tone, ground) for tone in ("good", "fair", "poor", "unknown") for ground in ("card", f"{tone}-tint")]
        pairs += [("muted", f"{tone}-tint") for tone in ("good", "fair", "poor", "unknown")] + [("ink", "poor-tint")]
        for ink, ground in pairs:
            dark, light = sorted((luminance(colours[ink]), luminance(colours[ground])))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)
