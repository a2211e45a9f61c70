"""Pages: complete, self-contained, readable by all, and deaf to whatever a name may try."""

import base64
import datetime as dt
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from nbformat import v4

from kpi_research.report.block import Block, Callout, ColumnView, DataTable
from kpi_research.report.charts import people_dots
from kpi_research.report.html import block_bundle, block_html, page_html, results_json

NAN = float("nan")
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }} {% raw %} {x}",
    "../../x",
    "</style></title></svg><b>",
    "张三\u202egnp.exe",
    "😀 محمد",
    "长" * 300,
    "a\x00b\x1b[31m",
]
VOID = {"meta", "img", "input", "br", "hr", "col", "link"}


class Parsed(HTMLParser):
    """Elements and text of a page, as a browser reads them; complains when tags do not close."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[SimpleNamespace] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(SimpleNamespace(tag=tag, attrs=dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(SimpleNamespace(tag=tag, attrs=dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [element.attrs for element in self.elements if element.tag == tag]


def table(name: str = "签约额", rows: int = 2) -> DataTable:
    frame = pd.DataFrame(
        {
            "kpi": [name] * rows,
            "weight": [0.4] * rows,
            "actual": [12_346_000.0] + [NAN] * (rows - 1),
            "actual_format": ["money", "share"] + ["share"] * (rows - 2),
            "score": [86.4] + [NAN] * (rows - 1),
            "score_low": [80.0] + [NAN] * (rows - 1),
            "score_high": [94.0] + [NAN] * (rows - 1),
            "n": pd.array([12] + [pd.NA] * (rows - 1), dtype="Int64"),
            "status": ["good"] + ["no_data"] * (rows - 1),
        }
    )
    columns = (
        ColumnView("kpi", "指标"),
        ColumnView("weight", "权重", "share"),
        ColumnView("actual", "实际", "number"),
        ColumnView("score", "得分", "points"),
        ColumnView("n", "N", "count"),
        ColumnView("status", "状态", "status"),
    )
    return DataTable(frame, columns, f"各项指标得分 {name}")


def block(name: str = "scores", text: str = "一句话。", **changes: Any) -> Block:
    people = pd.DataFrame({"label": [text], "value": [80.0], "low": [70.0], "high": [90.0], "highlighted": [True]})
    parts: dict[str, Any] = {
        "title": text,
        "text": (text,),
        "callout": Callout("fair", text, text, text, figure="90.4", figure_label=text, figure_range="84–96"),
        "table": table(text),
        "figure": people_dots(people, "zh", caption=text),
        "notes": (text,),
        "facts": {"total": 90.4, "missing": NAN, "n": np.int64(7), "day": dt.date(2026, 9, 30), "parts": (1, None)},
    }
    return Block(name, **{**parts, **changes})


def notebook(*outputs: Any, before: tuple[Any, ...] = ()) -> Any:
    cells = [*before, *(v4.new_code_cell("secret_code()", outputs=[output]) for output in outputs)]
    return v4.new_notebook(cells=cells)


def display(shown: Block, language: Any = "zh") -> Any:
    return v4.new_output("display_data", block_bundle(shown, language, currency="CNY"))


def page(*blocks: Block, language: Any = "zh", **options: Any) -> str:
    made = notebook(*(display(each, language) for each in blocks))
    return page_html(made, **{"title": "考核", "language": language, **options})


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_hostile_text_stays_text(text: str, language: str) -> None:
    html = page(block(text=text), title=text, subtitle=text, freshness=text, language=language)
    parsed = Parsed(html)
    assert not parsed.all("script") and not parsed.all("b")
    assert all(image.get("src", "").startswith("data:") for image in parsed.all("img"))
    assert not [name for element in parsed.elements for name in element.attrs if name.startswith("on")]
    assert not re.search("[\x00\x1b\u202e]", html)
    assert (
        parsed.text.count(re.sub("[\x00\x1b\u202e]", "", text)) >= 8
    )  # title, h1, subtitle, freshness, h2, paragraph, callout, table, note ...


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_block_name_stays_one_attribute(text: str) -> None:
    parsed = Parsed(page(block(name=text), block(name=text)))
    anchors = [section["id"] for section in parsed.all("section")]
    assert len(set(anchors)) == 2 and not parsed.all("script")


def test_one_self_contained_file() -> None:
    html = page(block(), block("people"))
    assert set(re.findall(r"https?://[^\"' )]+", html)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(script|link|iframe|object)|url\(|@import|javascript:", html)
    policy = next(meta["content"] for meta in Parsed(html).all("meta") if "http-equiv" in meta)
    assert (
        policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:") and "script-src" not in policy
    )


@pytest.mark.parametrize(("language", "tag"), [("zh", "zh-CN"), ("en", "en")])
def test_what_assistive_technology_needs(language: str, tag: str) -> None:
    parsed = Parsed(page(*(block(name) for name in "abcd"), language=language))
    assert parsed.all("html")[0]["lang"] == tag
    assert len(parsed.all("main")) == len(parsed.all("h1")) == len(parsed.all("nav")) == 1
    assert parsed.all("a")[0]["href"] == "#main" and parsed.all("main")[0]["id"] == "main"
    ids = [element.attrs["id"] for element in parsed.elements if "id" in element.attrs]
    assert len(ids) == len(set(ids))
    assert {link["href"].removeprefix("#") for link in parsed.all("a")} <= set(ids)
    assert all(cell.get("scope") in ("col", "row") for cell in parsed.all("th"))
    pictures = [svg for svg in parsed.all("svg") if svg.get("aria-hidden") != "true"]
    assert len(pictures) == 4 and all(svg["role"] == "img" and svg["aria-label"] for svg in pictures)
    regions = [div for div in parsed.all("div") if div.get("role") == "region" and div["aria-label"]]
    assert len(regions) == 4 and all(div["tabindex"] == "0" for div in regions)


def test_headings_skip_no_level() -> None:
    markdown = v4.new_markdown_cell("# own title\n\n##### deep\n\n# again\n\n### third")
    html = page_html(notebook(display(block()), before=(markdown,)), title="T", language="en")
    levels = [int(level) for level in re.findall(r"<h([1-6])", html)]
    assert levels == [1, 2, 3, 2, 3, 2]
    assert [int(level) for level in re.findall(r"</h([1-6])", html)] == levels


def test_a_callout_says_its_tone_in_words_too() -> None:
    for language, words in (
        ("zh", ["需留意", "原因", "下一步", "区间 84–96"]),
        ("en", ["Needs attention", "Why", "Next step"]),
    ):
        html = block_html(block(), language, currency="CNY")
        assert all(word in html for word in words)


def test_findings_are_neither_good_nor_bad() -> None:
    html = block_html(Block("t", "T", callout=Callout("info", "s", "w", "n")), "zh", currency="CNY")
    assert "结论" in html and "callout tone-info" in html and "badge tone-info" in html


def test_a_failed_block_and_a_failed_cell_are_shown_and_counted() -> None:
    failed = Block("broken", "出错", ("KeyError: '<visits>'",), status="failed")
    error = v4.new_output("error", ename="ValueError", evalue="<b>x</b>" * 200, traceback=["\x1b[31msecret\x1b[0m"])
    made = notebook(display(block()), display(failed), error)
    html = page_html(made, title="T", language="en")
    alerts = [div for div in Parsed(html).all("div") if div.get("role") == "alert"]
    assert len(alerts) == 3 and "有 2 处未能生成" in html and "2 part(s)" in html
    assert "第 3 格未能生成" in html and "Cell 3 failed" in html and "KeyError: &#39;&lt;visits&gt;&#39;" in html
    assert "<b>" not in html and "secret" not in html and html.count("&lt;b&gt;x") < 60
    assert 'role="alert"' not in page(block())


def test_managers_see_neither_code_nor_chatter() -> None:
    chatter = v4.new_output("stream", name="stderr", text="\x1b[31mDeprecationWarning <i>")
    plain = v4.new_output("execute_result", {"text/plain": "<Figure size 640x480>"}, execution_count=1)
    made = notebook(display(block()), chatter, plain)
    manager = page_html(made, title="T", language="en")
    assert not re.search("secret_code|Deprecation|Figure size|<details", manager)
    analyst = page_html(made, title="T", language="en", show_code=True)
    assert analyst.count("secret_code()") == 3 and "DeprecationWarning &lt;i&gt;" in analyst
    assert "&lt;Figure size" in analyst and "<details open" not in analyst


def test_all_code_is_folded_up_in_one_place_after_the_findings() -> None:
    error = v4.new_output("error", ename="ValueError", evalue="bad", traceback=[])
    chatter = v4.new_output("stream", name="stdout", text="printed here")
    made = notebook(display(block("first")), error, chatter, display(block("last")))
    html = page_html(made, title="T", language="en", show_code=True)
    body, fold, code = html.partition("<details")
    assert fold and "<details" not in code and "secret_code" not in body and "printed here" not in body
    assert body.index('id="first"') < body.index("Cell 2 failed") < body.index('id="last"')
    assert re.findall(r"<p>(Cell \d)</p>", code) == ["Cell 1", "Cell 2", "Cell 3", "Cell 4"]
    assert code.index("Cell 3") < code.index("printed here") < code.index("Cell 4")


def test_the_contents_leave_details_out() -> None:
    names = ["findings", "profile_visits", "profile_calls", "league", "league_team", "league", "quality", "plan"]
    parsed = Parsed(page(*(block(name) for name in names)))
    links = [link["href"] for link in parsed.all("a")[1:]]
    assert links == ["#findings", "#league", "#quality", "#plan"]
    assert len(parsed.all("section")) == len(names)


def test_tags_are_honoured() -> None:
    made = notebook(display(block("hidden")), display(block("seen")))
    made.cells[0].metadata["tags"], made.cells[1].metadata["tags"] = ["remove-cell"], ["remove-input"]
    html = page_html(made, title="T", language="en", show_code=True)
    assert 'id="hidden"' not in html and 'id="seen"' in html and "secret_code" not in html
    assert list(results_json(made)) == ["seen"]


def test_what_others_made_is_sanitized() -> None:
    frame = pd.DataFrame({"a": ["<script>alert(1)</script>"]})
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    outputs = [
        {
            "text/html": frame._repr_html_()
            + '<style>*{}</style><img src="http://x.y/z" onerror=alert(1)><div id="main">'
        },
        {"text/html": '<a href="javascript:alert(1)">x</a><a href="data:text/html,x">y</a><iframe src="//x"></iframe>'},
        {"text/markdown": "**bold** <script>alert(1)</script> ![i](https://x.y/z.png)"},
        {"image/svg+xml": svg},
        {"image/png": "iVBORw0KGgo=\n"},
    ]
    html = page_html(notebook(*(v4.new_output("display_data", data) for data in outputs)), title="T", language="en")
    parsed = Parsed(html)
    assert not parsed.all("script") and not parsed.all("iframe") and len(parsed.all("style")) == 1
    assert "&lt;script&gt;" in html and "<strong>bold</strong>" in html and html.count('id="main"') == 1
    assert not re.search(r"onerror|javascript:|data:text|https?://", html)
    sources = [image["src"] for image in parsed.all("img") if "src" in image]
    assert sources == [
        f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}",
        "data:image/png;base64,iVBORw0KGgo=",
    ]
    assert all(image["alt"] for image in parsed.all("img") if "src" in image)


def test_results_hold_every_number_of_the_page() -> None:
    made = notebook(display(block("first")), display(block("second")), display(block("first")))
    results = json.loads(json.dumps(results_json(made), allow_nan=False))
    assert list(results) == ["first", "second", "first-2"]
    first = results["first"]
    assert first["facts"] == {"total": 90.4, "missing": None, "n": 7, "day": "2026-09-30", "parts": [1, None]}
    assert first["callout"]["figure"] == "90.4" and first["callout"]["tone"] == "fair"
    assert first["table"]["rows"][0] == {
        "kpi": "一句话。", "weight": 0.4, "actual": 12346000.0, "score": 86.4, "score_low": 80.0, "score_high": 94.0,
        "n": 12, "status": "good",
    }  # fmt: skip
    assert first["table"]["rows"][1]["n"] is first["table"]["rows"][1]["actual"] is None
    assert first["table"]["shown"][0] == ["一句话。", "40.0%", "1,234.6万", "86.4 80.0–94.0", "12", "良好"]
    html = page_html(made, title="T", language="zh")
    assert all(f'id="{name}"' in html for name in results)
    assert all(shown in html for shown in ("40.0%", "1,234.6万", "80.0–94.0", "90.4"))


def test_same_notebook_same_bytes() -> None:
    first, second = (page(block(), freshness=dt.date(2026, 10, 8)) for _ in range(2))
    assert first == second and "数据截至 2026年10月8日" in first
