"""A papermill engine that runs a notebook's cells inside this process: no kernel to start, no sockets, one save.

`papermill.execute_notebook(..., engine_name="kpi_research")` and `papermill --engine kpi_research` use it. A notebook
behaves as on a kernel, with these differences: `input()` is refused at once; figures of pyplot are shown as on a kernel
when matplotlib's inline backend is in force (`MPLBACKEND`, `%matplotlib inline`), while `display(figure)` always works;
output of a thread that outlives its cell is recorded with the cell that runs then; Jupyter widgets have no front end.
The process is the notebook's own for as long as it runs: whoever wants reports kept apart gives each a fresh process,
as `kpi_research.run.workers` does.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import getpass
import platform
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

# Importing papermill loads its engine plugins, this module among them. When this module is the one imported first, the
# plugin loader finds it half made; it gets this stand-in, and the module's last line registers the class itself.
globals().setdefault("ForkedShellEngine", None)

from IPython.core.error import StdinNotImplementedError  # noqa: E402
from IPython.core.interactiveshell import InteractiveShell  # noqa: E402
from nbformat import NotebookNode  # noqa: E402
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines  # noqa: E402
from traitlets.config import Config  # noqa: E402

from kpi_research.run.shell import RecordedStream, Recorder, ReportShell  # noqa: E402

ENGINE_NAME = "kpi_research"
SKIP_TAG, MAY_RAISE_TAG = "skip-execution", "raises-exception"
WITHOUT_HISTORY = Config({"HistoryManager": {"enabled": False, "hist_file": ":memory:"}})
LANGUAGE_INFO = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}


class NotebookTimeout(BaseException):
    """The notebook took longer than it may; no `Exception`, so that a cell's `except Exception` does not swallow it."""


class ForkedShellEngine(Engine):
    """Runs cells in an IPython shell made for this notebook.

    Options, beyond papermill's own `stdout_file`, `stderr_file` and `log_output`:

    execution_timeout
        Seconds for the whole notebook; the running cell then ends in a `NotebookTimeout`. Heeded on Unix and in the
        main thread.
    on_executed
        Called with the notebook when it has been run, failing or not.
    """

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str,
        output_path: str | None = None,  # noqa: ARG003 - the signature is papermill's
        **options: Any,
    ) -> NotebookNode:
        """Run without saving in between: papermill writes the notebook once, when this returns."""
        return super().execute_notebook(nb, kernel_name, output_path=None, **options)

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,  # noqa: ARG003 - the signature is papermill's
        **options: Any,
    ) -> None:
        """Run the cells in order until one fails."""
        log = options.get("log_output", False)
        recorder = Recorder(
            {
                "stdout": options.get("stdout_file") or (sys.stdout if log else None),
                "stderr": options.get("stderr_file") or (sys.stderr if log else None),
            }
        )
        try:
            with _loop() as loop, report_shell(recorder) as shell, time_limit(options.get("execution_timeout")):
                _run_cells(nb_man, shell, loop)
        finally:
            nb_man.nb.metadata["language_info"] = {**LANGUAGE_INFO, "version": platform.python_version()}
            if options.get("on_executed"):
                options["on_executed"](nb_man.nb)


def _run_cells(nb_man: NotebookExecutionManager, shell: ReportShell, loop: asyncio.AbstractEventLoop) -> None:
    for index, cell in enumerate(nb_man.nb.cells):
        nb_man.cell_start(cell, index)
        raised = _run_cell(cell, shell, loop) if _is_run(cell) else None
        stops = raised is not None and MAY_RAISE_TAG not in cell.metadata.get("tags", ())
        if stops:
            nb_man.cell_exception(cell, cell_index=index, exception=raised)
        nb_man.cell_complete(cell, cell_index=index)
        if isinstance(raised, KeyboardInterrupt):
            raise raised
        if stops:
            return


def _is_run(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and bool(cell.source.strip()) and SKIP_TAG not in cell.metadata.get("tags", ())


def _run_cell(cell: NotebookNode, shell: ReportShell, loop: asyncio.AbstractEventLoop) -> BaseException | None:
    """Run one cell, put its outputs into it and return what it raised."""
    shell.recorder.start_cell()
    cell.execution_count = shell.execution_count
    try:
        result = loop.run_until_complete(_run_source(cell.source, shell))
        raised = result.error_before_exec or result.error_in_exec
    except (NotebookTimeout, KeyboardInterrupt) as interruption:
        # it struck between two steps of the event loop, where IPython could not see it
        shell.showtraceback((type(interruption), interruption, None))
        raised = interruption
    shell.recorder.finish_cell()
    cell.outputs = shell.recorder.outputs
    return raised


async def _run_source(source: str, shell: ReportShell) -> Any:
    problem = None
    try:
        transformed = shell.transform_cell(source)
    except Exception:
        transformed, problem = source, sys.exc_info()
    result = await shell.run_cell_async(
        source, store_history=True, transformed_cell=transformed, preprocessing_exc_tuple=problem
    )
    # the inline backend shows its figures here; IPython leaves both calls to who runs the loop
    shell.events.trigger("post_execute")
    shell.events.trigger("post_run_cell", result)
    return result


@contextlib.contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The event loop that all cells run in, as on a kernel: `await` works, `asyncio.run` is refused."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        asyncio.set_event_loop(None)


@contextlib.contextmanager
def report_shell(recorder: Recorder) -> Iterator[ReportShell]:
    """The process's IPython shell, new and empty, with its streams recorded; all is put back at the end."""
    with _put_back(), recorder:
        shell = ReportShell.instance(recorder=recorder, config=WITHOUT_HISTORY, colors="nocolor")
        _show_figures(shell)
        sys.stdout, sys.stderr = RecordedStream("stdout", 1, recorder), RecordedStream("stderr", 2, recorder)
        builtins.input = getpass.getpass = refuse_input
        try:
            yield shell
        finally:
            shell.restore_sys_module_state()
            _forget_shell(shell)


@contextlib.contextmanager
def _put_back() -> Iterator[None]:
    """Leave the interpreter as it was found: its shell, if it has one, its streams and its ways to ask."""
    shell = InteractiveShell._instance
    streams = sys.stdout, sys.stderr, sys.stdin, builtins.input, getpass.getpass
    _forget_shell(shell)
    try:
        yield
    finally:
        sys.stdout, sys.stderr, sys.stdin, builtins.input, getpass.getpass = streams
        if shell is not None:
            kinds: Any = type(shell)._walk_mro()
            for kind in kinds:
                kind._instance = shell


def _forget_shell(shell: InteractiveShell | None) -> None:
    if shell is not None:
        type(shell).clear_instance()


def _show_figures(shell: ReportShell) -> None:
    """Let `display(figure)` give a PNG without importing matplotlib for notebooks that draw nothing."""

    def encoded(figure: Any) -> Any:
        from IPython.core.pylabtools import print_figure

        return print_figure(figure, fmt="png", base64=True)

    formatter: Any = shell.display_formatter
    formatter.formatters["image/png"].for_type_by_name("matplotlib.figure", "Figure", encoded)


def refuse_input(*_: object, **__: object) -> NoReturn:
    """Stand in for `input` and `getpass`.

    Raises
    ------
    StdinNotImplementedError
        Always: nobody sits in front of a report.
    """
    raise StdinNotImplementedError("a report asks nobody: pass the value as a parameter instead of calling input()")


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise `NotebookTimeout` in the main thread after this many seconds."""
    if not seconds or not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def strike(*_: object) -> NoReturn:
        raise NotebookTimeout(f"the notebook was stopped after {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


papermill_engines.register(ENGINE_NAME, ForkedShellEngine)
