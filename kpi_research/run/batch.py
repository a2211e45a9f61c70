"""Jobs and who does them: each job is one notebook with its parameters, rendered into one folder.

Any executor of `concurrent.futures`' shape will do: `ForkingExecutor`, a thread or process pool, Dask's
`Client.get_executor()`. Every report runs in a fresh process whoever carries it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait

from kpi_research.errors import InputError
from kpi_research.run.forkserver import is_fresh_process
from kpi_research.run.job import Job, JobError, JobResult, discard_parts
from kpi_research.run.parameters import check_parameters
from kpi_research.run.workers import ForkingExecutor, WorkerDied, WorkerTimeout

__all__ = ["Job", "JobError", "JobResult", "check_parameters", "render", "run_jobs"]

GRACE_SECONDS = 10.0
"""A notebook out of time first gets an exception, which its page shows; the process is killed this much later."""

LOOK_UP_SECONDS = 0.2
"""How long an interrupt may go unnoticed."""


def run_jobs(jobs: Iterable[Job], executor: Executor, *, on_done: Callable[[JobResult], None]) -> list[JobResult]:
    """Render all jobs; one that fails stops no other.

    Parameters
    ----------
    on_done
        Called in this thread with each result as it comes.

    Returns
    -------
    Results in the order of the jobs.

    Raises
    ------
    InputError
        Before anything runs, if a notebook does not take the parameters it would be given.
    KeyboardInterrupt
        Passed on, once what ran is killed and its unfinished files are gone; finished reports stand.
    """
    jobs = list(jobs)
    if problems := [problem for job in jobs for problem in check_parameters(job.notebook, job.parameters)]:
        raise InputError(problems)
    results: dict[int, JobResult] = {}
    with _held_interrupts() as raise_held:
        places = {_submit(executor, job): place for place, job in enumerate(jobs)}
        try:
            for future in _as_they_end(places, raise_held):
                place = places[future]
                results[place] = _outcome(jobs[place], future)
                on_done(results[place])
        except BaseException:
            _stop(executor, places)
            for place in places.values():
                discard_parts(jobs[place])
            raise
    return [results[place] for place in sorted(results)]


def render(job: Job) -> JobResult:
    """Render one job, in this process if it was made for it and in a fresh one otherwise; never raises for a report."""
    if not is_fresh_process():
        return _outcome(job, _submit(_own_processes(os.getpid()), job))
    from kpi_research.run.render import render_here

    return render_here(job)


def _submit(executor: Executor, job: Job) -> Future[JobResult]:
    within = getattr(executor, "submit_within", None)
    if within is None:
        return executor.submit(render, job)
    return within(job.timeout_seconds + GRACE_SECONDS, render, job)


def _as_they_end(futures: Iterable[Future[JobResult]], between: Callable[[], None]) -> Iterator[Future[JobResult]]:
    """The futures in the order of their ends; `between` is called several times a second."""
    pending = set(futures)
    while pending:
        ended, pending = wait(pending, timeout=LOOK_UP_SECONDS, return_when=FIRST_COMPLETED)
        yield from ended
        between()


@contextlib.contextmanager
def _held_interrupts() -> Iterator[Callable[[], None]]:
    """Hold back the first interrupt until the yielded function is called, which raises it.

    Raised just anywhere, it could strike inside the futures' own bookkeeping and leave their locks held for ever.
    """
    held: list[int] = []

    def hold(number: int, _: object) -> None:
        held.append(number)
        signal.signal(signal.SIGINT, before)

    def raise_held() -> None:
        if held:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield raise_held
        return
    before = signal.signal(signal.SIGINT, hold)
    try:
        yield raise_held
    finally:
        signal.signal(signal.SIGINT, before)


def _outcome(job: Job, future: Future[JobResult]) -> JobResult:
    try:
        return future.result()
    except WorkerTimeout as error:
        return _lost(job, JobError("timeout", message=f"{error.seconds - GRACE_SECONDS:g} s"), error.seconds)
    except WorkerDied as error:
        return _lost(job, JobError("died", message=error.how), peak_mb=error.peak_mb)
    except Exception as error:
        return _lost(job, JobError("died", message=f"{type(error).__name__}: {error}"))


def _lost(job: Job, error: JobError, seconds: float = 0.0, peak_mb: float | None = None) -> JobResult:
    discard_parts(job)
    return JobResult(job.name, "failed", seconds, peak_mb, error)


def _stop(executor: Executor, futures: Iterable[Future[JobResult]]) -> None:
    for future in futures:
        future.cancel()
    terminate = getattr(executor, "terminate_workers", None)
    if terminate is not None:
        terminate()


@functools.cache
def _own_processes(pid: int) -> ForkingExecutor:  # noqa: ARG001 - a forked process must not use its parent's
    """Fresh processes for the reports of an executor that reuses its own."""
    return ForkingExecutor(max_workers=64)
