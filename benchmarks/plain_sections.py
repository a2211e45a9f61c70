"""The appraisal's sections as plain function calls: the floor that the runner is held against."""

from __future__ import annotations

import json
from pathlib import Path

from kpi_research.language import Language
from kpi_research.report.data import Audience
from kpi_research.report.html import block_html
from kpi_research.report.page import build, sections
from kpi_research.run.pages import open_page

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "appraisal.ipynb"


def shown() -> list[str]:
    """The sections that the notebook's cells show, in their order."""
    sources = ["".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]]
    return [source.split('"')[1] for source in sources if source.startswith("page.show(")]


def appraisal(client: str, period: str, team: str, language: Language, audience: Audience) -> str:
    """All sections of one appraisal as HTML, without a notebook."""
    page = open_page(NOTEBOOK.parent / client, period=period, team=team, language=language, audience=audience)
    blocks = [block for name in shown() for block in build(sections()[name], page.data)]
    return "\n".join(block_html(block, language, currency=page.data.currency) for block in blocks)
