"""What becomes of an executed report notebook: the page, the numbers beside it, and what the index wants to know."""

from __future__ import annotations

import json
from typing import Any

from nbformat import NotebookNode

from kpi_research.language import Language, say
from kpi_research.report.html import page_html, results_json
from kpi_research.report.page import HEAD_MIME
from kpi_research.run.job import Job


def write_page(notebook: NotebookNode, job: Job) -> dict[str, Any]:
    """Write `<notebook>.html` and `results.json` into the job's folder.

    Returns
    -------
    `failed_sections`, and for the index `title`, `headline` and `tone`.
    """
    language: Language = job.parameters["language"]
    head = page_head(notebook) or {"title": job.name, "subtitle": "", "freshness": "", "audience": "manager"}
    blocks = results_json(notebook)
    page = page_html(
        notebook,
        title=head["title"],
        subtitle=head["subtitle"],
        freshness=head["freshness"],
        language=language,
        show_code=head["audience"] == "analyst",
    )
    stem = job.notebook.stem
    (job.folder / f"{stem}.html").write_text(page, encoding="utf-8")
    numbers = json.dumps({"page": head, "blocks": blocks}, ensure_ascii=False, indent=1, sort_keys=True)
    (job.folder / results_name(stem)).write_text(numbers + "\n", encoding="utf-8")
    callouts = [block["callout"] for block in blocks.values() if block["callout"]]
    return {
        "title": head["title"],
        "headline": callouts[0]["stands"] if callouts else say("run.no_headline", language),
        "tone": callouts[0]["tone"] if callouts else "unknown",
        "failed_sections": [name for name, block in blocks.items() if block["status"] == "failed"],
    }


def results_name(stem: str) -> str:
    """The name of the numbers beside a page."""
    return "evidence.json" if stem == "evidence" else "results.json"


def page_head(notebook: NotebookNode) -> dict[str, str] | None:
    """Title, subtitle, freshness and audience, as the page itself gave them; taken out of the notebook's outputs."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if found := output.get("data", {}).pop(HEAD_MIME, None):
                cell.outputs.remove(output)
                return dict(found)
    return None
