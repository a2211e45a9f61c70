"""One job in a process of its own: run the notebook, have its page made, put the files in their places."""

from __future__ import annotations

import dataclasses
import faulthandler
import importlib
import os
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import papermill
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from kpi_research.run.deliver import clean, publish, write_notebook
from kpi_research.run.engine import ENGINE_NAME, NotebookTimeout
from kpi_research.run.forkserver import peak_mb
from kpi_research.run.job import Job, JobError, JobResult, discard_parts, part_folder


def render_here(job: Job) -> JobResult:
    """Render a job in this process, which is changed for good: its output goes to the job's log from now on."""
    started = time.perf_counter()
    job = dataclasses.replace(job, folder=job.folder.absolute(), notebook=job.notebook.absolute())
    log = redirect_output(job.log)
    part = _empty_part_folder(job)
    notebook, error = execute(job, log)
    info: Mapping[str, Any] = {}
    if notebook is not None:
        notebook = clean(notebook)
        info, export_error = export(notebook, dataclasses.replace(job, folder=part))
        if export_error is not None and export_error.kind == "export":
            part = _empty_part_folder(job)
        error = error or export_error
        write_notebook(notebook, part / job.notebook.name)
    files = publish(part, job.folder)
    seconds = time.perf_counter() - started
    return JobResult(job.name, "failed" if error else "done", seconds, peak_mb(), error, files, info)


def _empty_part_folder(job: Job) -> Path:
    discard_parts(job)
    part_folder(job).mkdir(parents=True)
    return part_folder(job)


def redirect_output(log: Path) -> IO[str]:
    """Let everything that this process writes go to `log`, a crash's traceback included."""
    log.parent.mkdir(parents=True, exist_ok=True)
    file = log.open("w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)
    faulthandler.enable(file)
    return file


def execute(job: Job, log: IO[str]) -> tuple[NotebookNode | None, JobError | None]:
    """Run the notebook; the notebook as far as it came (None if it could not be read), and what stopped it."""
    executed: list[NotebookNode] = []
    try:
        papermill.execute_notebook(
            # papermill fills {names} in paths
            str(job.notebook).replace("{", "{{").replace("}", "}}"),
            None,
            dict(job.parameters),
            engine_name=ENGINE_NAME,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            cwd=job.working_folder or job.notebook.parent,
            stdout_file=log,
            stderr_file=log,
            execution_timeout=job.timeout_seconds,
            on_executed=executed.append,
        )
        error = None
    except PapermillExecutionError as raised:
        error = _cell_error(raised)
    except NotebookTimeout as raised:
        error = JobError("timeout", message=str(raised))
    except Exception as raised:
        traceback.print_exc()
        error = JobError("cell", message=_told(raised))
    return (executed[0] if executed else None), error


def export(notebook: NotebookNode, job: Job) -> tuple[Mapping[str, Any], JobError | None]:
    """Have the job's page written; what its maker returned, and what failed in it or in one of its sections."""
    try:
        module, function = job.export.split(":")
        info = getattr(importlib.import_module(module), function)(notebook, job) or {}
    except Exception as raised:
        traceback.print_exc()
        return {}, JobError("export", where=job.export, message=_told(raised))
    failed = info.get("failed_sections", ())
    return info, JobError("section", where=", ".join(failed)) if failed else None


def _cell_error(raised: PapermillExecutionError) -> JobError:
    where = f"[{raised.exec_count}] {raised.source.strip().splitlines()[0]}"
    timed_out = raised.ename == NotebookTimeout.__name__
    return JobError("timeout" if timed_out else "cell", where, f"{raised.ename}: {raised.evalue}")


def _told(raised: Exception) -> str:
    return f"{type(raised).__name__}: {raised}"
