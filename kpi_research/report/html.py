"""From blocks to one self-contained HTML file: no script, no request, everything from data escaped.

A notebook displays a `Block` as a bundle: HTML for the reader and JSON for `results.json`. nbconvert turns the executed
notebook into the page with our own template. HTML that is not ours (tables of pandas, Markdown) is sanitized; a policy
in the page forbids scripts and the network all the same.
"""

from __future__ import annotations

import base64
import datetime as dt
import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import nh3
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from kpi_research.language import Language, say
from kpi_research.report.block import Block
from kpi_research.report.drawing import harmless
from kpi_research.report.format import format_day
from kpi_research.report.tables import block_json, table_view

if TYPE_CHECKING:
    from nbconvert.exporters import TemplateExporter
    from nbformat import NotebookNode

TEMPLATES = Path(__file__).parent / "template"
BLOCK_MIME = "application/vnd.kpi-research.block+json"
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; form-action 'none'"
)
LANGUAGE_TAGS = {"zh": "zh-CN", "en": "en"}
TONES = {
    "good": "good", "ok": "good", "fair": "fair", "warning": "fair", "poor": "poor", "failed": "poor", "info": "info",
}  # fmt: skip
DETAILS = ("profile_",)
REASON_SHOWN = 400
"""Characters of an exception's message shown to a reader; the whole of it stands in the log."""


def block_html(block: Block, language: Language, *, currency: str) -> str:
    """A block as an HTML section with a heading of level 2."""
    view = table_view(block.table, language, currency=currency) if block.table else None
    return str(environment().get_template("blocks.html.j2").module.block(block, view, language))  # type: ignore[attr-defined]


def block_bundle(block: Block, language: Language, *, currency: str) -> dict[str, Any]:
    """A block as IPython displays it: `text/html` to read and `BLOCK_MIME` for `results_json`."""
    return {
        "text/html": block_html(block, language, currency=currency),
        BLOCK_MIME: block_json(block, language, currency=currency),
    }


def page_html(
    notebook: NotebookNode,
    *,
    title: str,
    language: Language,
    subtitle: str = "",
    freshness: dt.date | str = "",
    show_code: bool = False,
) -> str:
    """The whole page of an executed notebook.

    Parameters
    ----------
    freshness
        The last day of the data, or a sentence about it.
    show_code
        For analysts: all code with what it printed, folded up at the end. Managers see neither.
    """
    blocks = dict(_blocks(notebook))
    page = page_frame(title, language, subtitle=subtitle, freshness=freshness)
    page.failures = _failures(notebook, blocks)
    page.contents = [(name, block["title"]) for name, block in blocks.items() if not _is_detail(name, blocks)]
    page.code = list(_code(notebook)) if show_code else []
    page.names = Counter()
    html, _ = _exporter().from_notebook_node(notebook, {"page": page})
    return _ordered_headings(html)


def results_json(notebook: NotebookNode) -> dict[str, Any]:
    """Everything the page says in numbers, by block name in the order of the page; what is missing is null.

    Each block gives `title, status, text, notes, facts, callout`, its `table` with raw `rows` and the cells as `shown`,
    and its figure's description. A name that stands twice gets `-2` behind it, as its anchor in the page does.
    """
    return {name: {key: part for key, part in block.items() if key != "name"} for name, block in _blocks(notebook)}


def page_frame(title: str, language: Language, *, subtitle: str, freshness: dt.date | str) -> SimpleNamespace:
    """What the head of every page is made of."""
    if isinstance(freshness, dt.date):
        freshness = say("page.freshness", language, day=format_day(freshness, language))
    return SimpleNamespace(
        title=title,
        subtitle=subtitle,
        freshness=freshness,
        language=language,
        lang=LANGUAGE_TAGS[language],
        policy=POLICY,
        style=_style(),
    )


@functools.cache
def environment() -> Environment:
    """The one Jinja environment of this process; whatever a template prints is escaped unless it is `Markup`."""
    return _prepared(Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True))


FILTERS: dict[str, Callable[..., Any]] = {
    "say": lambda key, language, **values: say(key, language, **values),
    "tone": lambda status: TONES.get(status, "unknown"),
    "trusted": Markup,
    "tags": lambda cell: cell.metadata.get("tags", ()),
    "reason": lambda output: f"{output.ename}: {output.evalue}"[:REASON_SHOWN],
    "shown": lambda output, page: _shown(output, page),
    "markdown": lambda source: _markdown(source),
}


def _prepared(made: Environment) -> Environment:
    made.autoescape = True
    made.finalize = lambda value: harmless(value) if type(value) is str else value
    made.filters.update(FILTERS)
    return made


@functools.cache
def _exporter() -> TemplateExporter:
    """nbconvert with our template; its `HTMLExporter` would parse the finished page again, at ten times the cost."""
    from nbconvert.exporters import TemplateExporter

    exporter = TemplateExporter(
        template_name=TEMPLATES.name,
        template_file="page.html.j2",
        extra_template_basedirs=[str(TEMPLATES.parent)],
        file_extension=".html",
    )
    _prepared(exporter.environment)
    return exporter


@functools.cache
def _style() -> Markup:
    return Markup(re.sub(r"\s+", " ", (TEMPLATES / "style.css").read_text(encoding="utf-8")))  # noqa: S704 (our own file)


def _blocks(notebook: NotebookNode) -> Iterator[tuple[str, dict[str, Any]]]:
    names: Counter[str] = Counter()
    for output in _outputs(notebook):
        if block := output.get("data", {}).get(BLOCK_MIME):
            yield _unique(block["name"], names), block


def _outputs(notebook: NotebookNode) -> Iterator[Any]:
    for cell in notebook.cells:
        if cell.cell_type == "code" and "remove-cell" not in cell.metadata.get("tags", ()):
            yield from cell.outputs


def _is_detail(name: str, blocks: Iterable[str]) -> bool:
    """Whether the contents leave a block out: `profile_…`, and parts of another (`league_team` of `league`)."""
    return name.startswith(DETAILS) or any(name.startswith((f"{other}_", f"{other}-")) for other in blocks)


def _code(notebook: NotebookNode) -> Iterator[tuple[int, str, str]]:
    """What ran: the number of each cell, its source unless it is to be hidden, and what it printed."""
    for number, cell in enumerate(notebook.cells, start=1):
        tags = cell.metadata.get("tags", ())
        if cell.cell_type == "code" and "remove-cell" not in tags:
            source = "" if "remove-input" in tags else cell.source.strip()
            printed = "".join(map(_printed, cell.outputs))
            if source or printed:
                yield number, source, printed


def _printed(output: Any) -> str:
    if output.output_type == "stream":
        return str(output.text)
    data = output.get("data", {})
    return f"{data['text/plain']}\n" if data.keys() == {"text/plain"} else ""


def _failures(notebook: NotebookNode, blocks: Mapping[str, Mapping[str, Any]]) -> int:
    errors = sum(output.output_type == "error" for output in _outputs(notebook))
    return errors + sum(block["status"] == "failed" for block in blocks.values())


def _unique(name: str, names: Counter[str]) -> str:
    names[name] += 1
    return name if names[name] == 1 else f"{name}-{names[name]}"


def _shown(output: Any, page: SimpleNamespace) -> Markup:
    """An output's richest form that is safe to show; plain text stands with the code."""
    data = output.data
    if BLOCK_MIME in data:
        anchor = f'id="{escape(harmless(_unique(data[BLOCK_MIME]["name"], page.names)))}"'
        return Markup(re.sub(r'id="[^"]*"', lambda _: anchor, data["text/html"], count=1))  # noqa: S704 (made by block_html)
    if "text/html" in data:
        label = escape(say("page.table", page.language))
        return Markup('<div class="foreign" role="region" tabindex="0" aria-label="{}">{}</div>').format(
            label, sanitized(data["text/html"])
        )
    if "text/markdown" in data:
        return Markup('<div class="prose">{}</div>').format(_markdown(data["text/markdown"]))
    for kind in ("image/svg+xml", "image/png", "image/jpeg"):
        if kind in data:
            alt = output.metadata.get("alt") or say("page.picture", page.language)
            return Markup('<figure><img alt="{}" src="data:{};base64,{}"></figure>').format(
                alt, kind, _as_base64(data[kind], kind)
            )
    return Markup("")


def sanitized(html: str) -> Markup:
    """HTML that others made, without scripts, styles, handlers, ids and pictures from elsewhere."""
    return Markup(nh3.clean(html, attribute_filter=_attribute, url_schemes={"http", "https", "mailto", "data"}))  # noqa: S704


def _attribute(_tag: str, name: str, value: str) -> str | None:
    if name == "src":
        return value if value.startswith("data:image/") else None
    return None if value.startswith("data:") else value


def _markdown(source: str) -> Markup:
    return sanitized(_markdown_renderer()(source))


@functools.cache
def _markdown_renderer() -> Callable[[str], str]:
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    return MarkdownWithMath(renderer=IPythonRenderer(escape=False, exclude_anchor_links=True)).render


def _as_base64(picture: str, kind: str) -> str:
    # as an <img>, an SVG can neither run scripts nor reach the page
    return base64.b64encode(picture.encode()).decode() if kind == "image/svg+xml" else "".join(picture.split())


def _ordered_headings(html: str) -> str:
    """The page with one h1 and no level skipped, whatever the Markdown of a notebook does."""
    head, main, body = html.partition("<main")
    level = 1

    def place(heading: re.Match[str]) -> str:
        nonlocal level
        if not heading[1]:
            level = max(2, min(int(heading[2]), level + 1))
        return f"<{heading[1]}h{level}"

    return head + main + re.sub(r"<(/?)h([1-6])\b", place, body)
