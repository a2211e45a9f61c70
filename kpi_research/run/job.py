"""The records of a batch: a job, how it went and why it failed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kpi_research.language import Language, say

ErrorKind = Literal["cell", "section", "died", "timeout", "export"]


@dataclass(frozen=True)
class Job:
    """One notebook to be rendered.

    Parameters
    ----------
    name
        How the job is called, e.g. `teams/T01/appraisal`.
    notebook
        The notebook.
    parameters
        Values that JSON can carry, by the names its parameters cell declares.
    folder
        Where its files go: `<notebook stem>.ipynb` and what `export` writes.
    log
        File that takes all output of the job's process.
    export
        `module:function`, called in the job's process with the cleaned notebook, failing or not, and this job, whose
        `folder` is then a temporary one at the same depth. It writes the page and its numbers there and returns a dict
        of what the run wants to know; `failed_sections` names sections that show a failure.
    timeout_seconds
        For the whole notebook.
    working_folder
        Where it runs; the folder it lies in, as in JupyterLab, if None.
    """

    name: str
    notebook: Path
    parameters: Mapping[str, Any]
    folder: Path
    log: Path
    export: str
    timeout_seconds: float = 600.0
    working_folder: Path | None = None


@dataclass(frozen=True)
class JobError:
    """Why a job failed.

    Parameters
    ----------
    kind
        `cell`: a cell raised; `section`: a section shows a failure; `export`: the page could not be written; `timeout`;
        `died`: the process ended without an answer.
    where
        The cell's number and first line, or the section's name.
    message
        What was raised, or how the process ended.
    """

    kind: ErrorKind
    where: str = ""
    message: str = ""

    def text(self, language: Language) -> str:
        """The failure in one sentence."""
        return say(f"run.failed_{self.kind}", language, where=self.where, message=self.message)


@dataclass(frozen=True)
class JobResult:
    """How a job went.

    Parameters
    ----------
    seconds
        Time in the job's process.
    peak_mb
        Peak memory of that process in megabytes, pages shared with its parent included; None where unknown.
    files
        What was written, relative to the job's folder. Files of an earlier run that are not named here are stale.
    info
        What `export` returned.
    """

    name: str
    status: Literal["done", "failed"]
    seconds: float
    peak_mb: float | None = None
    error: JobError | None = None
    files: tuple[str, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)


def part_folder(job: Job) -> Path:
    """Where the job's files are made: beside its folder, so that relative links hold after the move."""
    return job.folder.with_name(f".{job.folder.name}.{job.notebook.stem}.part")


def discard_parts(job: Job) -> None:
    """Drop what an unfinished run of the job left."""
    shutil.rmtree(part_folder(job), ignore_errors=True)
