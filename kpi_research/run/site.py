"""A client's run of one period: the reports that changed are made, all are listed in the index and the manifest."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpi_research.language import Language, say
from kpi_research.periods import Period
from kpi_research.report.index import IndexEntry, index_html
from kpi_research.report.words import period_title
from kpi_research.run.batch import run_jobs
from kpi_research.run.client import Client
from kpi_research.run.deliver import hide_folders
from kpi_research.run.forms import FORM, file_name, form_fingerprint, has_forms, write_form
from kpi_research.run.job import JobError, JobResult
from kpi_research.run.manifest import digests, entry_of, is_unchanged, read_entries, write_manifest
from kpi_research.run.page_parts import make_ahead
from kpi_research.run.reports import Report, languages, reports


@dataclass(frozen=True)
class SiteRun:
    """What a run did.

    Parameters
    ----------
    index
        The page to open.
    results
        Of the reports that were made now.
    unchanged
        How many were left as they are.
    """

    index: Path
    results: tuple[JobResult, ...]
    unchanged: int


def make_site(
    client: Client,
    period: Period,
    out: Path,
    *,
    executor: Callable[[], Executor],
    wanted: Collection[Report] | None = None,
    force: bool = False,
    on_done: Callable[[JobResult], None] = lambda _: None,
    on_start: Callable[[int, int], None] = lambda *_: None,
) -> SiteRun:
    """Make a period's reports, its manifest and its index.

    Parameters
    ----------
    out
        The period's folder.
    executor
        Gives the executor; called only if there is something to make, and closed by the caller.
    wanted
        The reports to make; all that the client file asks for if None.
    force
        Make them though nothing changed.
    on_start
        Called with the number of reports to be made and of those left as they are.
    """
    todo = list(reports(client, period, out) if wanted is None else wanted)
    entries = read_entries(out)
    changed = [each for each in todo if force or not is_unchanged(each, entries, out)]
    on_start(len(changed), len(todo) - len(changed))
    by_name = {report.job.name: report for report in changed}

    def done(result: JobResult) -> None:
        entries[result.name] = entry_of(by_name[result.name], result, out)
        write_manifest(client, period.name, out, entries.values())
        on_done(result)

    results: list[JobResult] = []
    if changed:
        make_ahead(client, period, {report.job.notebook.stem for report in changed})
        results = run_jobs([report.job for report in changed], executor(), on_done=done)
    results += _make_forms(client, period, out, entries, force=force)
    index = _write_index(client, period, out, list(entries.values()))
    write_manifest(client, period.name, out, entries.values())
    return SiteRun(index, tuple(results), len(todo) - len(changed))


def _make_forms(
    client: Client, period: Period, out: Path, entries: dict[str, dict[str, Any]], *, force: bool
) -> list[JobResult]:
    """Write the appraisal forms that changed, with an entry each; only those that failed are results of the run."""
    if not has_forms(client, period):
        return []
    failed, first = [], languages(client)[0]
    for language in languages(client):
        path = out / file_name(language, first)
        entry = entries.get(path.name, {})
        fingerprint = form_fingerprint(client, period, language)
        if not force and entry.get("fingerprint") == fingerprint and entry["files"] == digests([path.name], out):
            continue
        error = None
        try:
            write_form(client, period, language, path)
        except Exception as raised:  # a form that cannot be written must not stop the index of what was made
            error = JobError("export", "", hide_folders(f"{type(raised).__name__}: {raised}"))
            failed.append(JobResult(path.name, "failed", 0.0, error=error))
        entries[path.name] = {
            "name": path.name,
            "level": "company",
            "entity_id": "",
            "label": client.settings.title.model_dump()[language],
            "notebook": FORM,
            "parameters": {"period": period.name, "language": language},
            "status": "failed" if error else "done",
            "error": vars(error) if error else None,
            "fingerprint": fingerprint,
            "info": {"tone": "info", "headline": say("site.forms", language)},
            "files": digests([path.name], out) if not error else {},
        }
    return failed


def _write_index(client: Client, period: Period, out: Path, entries: list[dict[str, Any]]) -> Path:
    language: Language = "en" if client.settings.language == "en" else "zh"
    listed = [_index_entry(entry, language) for entry in sorted(entries, key=lambda entry: entry["name"])]
    title = f"{client.settings.title.model_dump()[language]} · {period_title(period, language)}"
    page = index_html(
        listed,
        title=title,
        language=language,
        subtitle=say("site.subtitle", language),
        freshness=client.data.parts.until,
    )
    path = out / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def _index_entry(entry: dict[str, Any], language: Language) -> IndexEntry:
    pages = [name for name in entry["files"] if name.endswith((".html", ".xlsx"))]
    error = JobError(**entry["error"]) if entry["error"] else None
    return IndexEntry(
        level=entry["level"],
        label=entry["label"],
        report=say(f"site.notebook.{entry['notebook']}", language),
        href=pages[0] if pages else "",
        entity_id=entry["entity_id"],
        tone=entry["info"].get("tone", "unknown"),
        headline=entry["info"].get("headline", ""),
        failed=entry["status"] != "done",
        reason=error.text(language) if error else "",
    )
