"""The engine against a plain kernel, probe by probe, and what it leaves of the process it ran in."""

import logging
import os
import sys
import time
from pathlib import Path

import nbformat
import papermill
import pytest
from IPython.core.interactiveshell import InteractiveShell

from kpi_research.run.engine import ENGINE_NAME, ForkedShellEngine, NotebookTimeout
from kpi_research.run.workers import ForkingExecutor

NOTEBOOKS = Path(__file__).parent / "notebooks"
# not in the notebook, because linters read it
BROKEN = {"syntax_error": "x ==== 3", "indentation_error": "if True:\nx = 1"}
PROBES = [
    *(cell.metadata.tags[-1].removeprefix("probe-") for cell in nbformat.read(NOTEBOOKS / "probes.ipynb", 4).cells),
    *BROKEN,
]

# Where the engine differs from a kernel on purpose; the docstring of engine.py and this list name the same things.
MESSAGE_DIFFERS = {"input_refused", "getpass_refused", "syntax_error", "indentation_error"}
ORDER_KEPT_HERE_ONLY = {"stderr"}
FIGURE_WITHOUT_PYPLOT = {"figure"}


def run(path, target, engine, **options):
    """Run a notebook with papermill; its code cells, read back from the file."""
    logging.getLogger("papermill").setLevel(logging.ERROR)
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    raised = None
    try:
        papermill.execute_notebook(
            path, target, engine_name=engine, progress_bar=False, kernel_name="python3", cwd=NOTEBOOKS, **options
        )
    except papermill.PapermillExecutionError as error:
        raised = error.ename
    cells = [cell for cell in nbformat.read(target, 4).cells if cell.cell_type == "code"]
    return cells, raised


def run_probes(folder, engine):
    """Run all probes; to be called in a process of its own."""
    # ipykernel does not record descriptors under pytest
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    notebook = nbformat.read(NOTEBOOKS / "probes.ipynb", 4)
    for probe, source in BROKEN.items():
        tags = ["raises-exception", f"probe-{probe}"]
        notebook.cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": tags}))
    nbformat.write(notebook, folder / "probes.ipynb")
    cells, raised = run(str(folder / "probes.ipynb"), str(folder / "out.ipynb"), engine)
    return by_probe(cells), raised


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    with ForkingExecutor(1, warm=None) as executor:
        return executor.submit(run_probes, tmp_path_factory.mktemp("ours"), ENGINE_NAME).result()


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    with ForkingExecutor(1, warm=None) as executor:
        return executor.submit(run_probes, tmp_path_factory.mktemp("kernel"), None).result()


def by_probe(cells):
    return {cell.metadata.tags[-1].removeprefix("probe-"): cell for cell in cells}


def comparable(cell):
    """Outputs with neighbouring streams joined (kernels split them at random), without temporary names."""
    joined = []
    for output in map(dict, cell.outputs):
        if joined and output["output_type"] == "stream" and joined[-1].get("name") == output["name"]:
            joined[-1]["text"] += output["text"]
        else:
            joined.append(output)
    for output in joined:
        if output["output_type"] == "error":
            output["traceback"] = len(output["traceback"])
        if output["output_type"] == "stream" and "Warning: " in output["text"]:
            output["text"] = output["text"].partition("Warning: ")[2]
    return joined


@pytest.mark.slow
@pytest.mark.parametrize("probe", PROBES)
def test_a_cell_has_the_same_outputs_as_on_a_kernel(ours, kernel, probe):
    mine, theirs = ours[0][probe], kernel[0][probe]
    assert mine.execution_count == theirs.execution_count
    mine, theirs = comparable(mine), comparable(theirs)
    if probe in MESSAGE_DIFFERS:
        assert [one["ename"] for one in mine] == [one["ename"] for one in theirs]
    elif probe in ORDER_KEPT_HERE_ONLY:
        assert [one["text"] for one in mine] == ["out\n", "err\n", "out again\n"]
        assert sorted(one["text"] for one in theirs) == ["err\n", "out\nout again\n"]
    elif probe in FIGURE_WITHOUT_PYPLOT:
        assert "image/png" in mine[0]["data"]
        assert theirs[0]["data"]["text/plain"] == mine[0]["data"]["text/plain"]
    else:
        assert mine == theirs


@pytest.mark.slow
def test_both_engines_raise_the_same_error_in_the_end(ours, kernel):
    assert ours[1] == kernel[1] is not None


def text_of(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        ("print", "你好\nzweite\n"),
        ("clear", "stays\n"),
        ("clear_wait", "stays\n"),
        ("clear_wait_nothing", "stays\n"),
        ("os_system", "python\nsystem\nerror\n"),
        ("descriptor", "描述符\n"),
        ("subprocess", "child\n"),
        ("thread", "thread\n"),
        ("forked_child", "grandchild\n"),
        ("await_top_level", "awaited\n"),
    ],
)
def test_text_is_recorded_whoever_writes_it(ours, probe, expected):
    text = text_of(ours[0][probe])
    # from 3.12 on Python itself warns of a fork in a process with threads, before the text
    assert text.endswith(expected) if "DeprecationWarning: This process" in text else text == expected


def test_an_update_reaches_the_display_in_an_earlier_cell(ours):
    shown = [output.data["text/plain"] for output in ours[0]["update_display"].outputs]
    assert shown == ["'third'", "'other'"]


def test_input_is_refused_with_what_to_do_instead(ours):
    (error,) = ours[0]["input_refused"].outputs
    assert error.ename == "StdinNotImplementedError"
    assert "pass the value as a parameter" in error.evalue


def test_asyncio_run_is_refused_as_on_a_kernel(ours):
    assert "running event loop" in ours[0]["asyncio_run"].outputs[-1].evalue


def test_pyplot_figures_are_shown_by_the_inline_backend(ours):
    (figure,) = ours[0]["pyplot"].outputs
    assert set(figure.data) == {"image/png", "text/plain"}


def test_the_run_stops_at_the_failing_cell_with_papermills_error(tmp_path):
    cells, raised = run(str(NOTEBOOKS / "fails.ipynb"), str(tmp_path / "out.ipynb"), ENGINE_NAME)
    assert raised == "ValueError"
    assert [cell.execution_count for cell in cells] == [1, 2, 3, None]
    assert cells[2].outputs[0].evalue == "数据缺失 1"
    assert cells[3].outputs == []


def test_the_process_is_put_back_as_it_was(tmp_path):
    before = sys.stdout, sys.stderr, sys.modules["__main__"], input, InteractiveShell._instance, os.fstat(1).st_ino
    run(str(NOTEBOOKS / "fails.ipynb"), str(tmp_path / "out.ipynb"), ENGINE_NAME)
    after = sys.stdout, sys.stderr, sys.modules["__main__"], input, InteractiveShell._instance, os.fstat(1).st_ino
    assert before == after


def test_a_second_notebook_starts_with_an_empty_namespace(tmp_path):
    nb = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("'seen' in globals(), In[1]\nseen = 1; 'seen'; len(In)")]
    )
    nb.cells.insert(0, nbformat.v4.new_code_cell("print('seen' in globals())\nseen = 1"))
    for _ in range(2):
        ran = papermill.execute_notebook(
            nb,
            str(tmp_path / "out.ipynb"),
            engine_name=ENGINE_NAME,
            kernel_name="python3",
            language="python",
            progress_bar=False,
        )
        assert [cell.execution_count for cell in ran.cells] == [1, 2]
        assert text_of(ran.cells[0]) == "False\n"


@pytest.mark.parametrize("how", ["sleep", "await"])
def test_the_time_limit_ends_the_running_cell_even_if_it_catches_everything(tmp_path, how):
    started = time.monotonic()
    cells, raised = run(
        str(NOTEBOOKS / "hangs.ipynb"),
        str(tmp_path / "o.ipynb"),
        ENGINE_NAME,
        parameters={"how": how},
        execution_timeout=0.3,
    )
    assert raised == NotebookTimeout.__name__
    assert time.monotonic() - started < 5
    assert [output.output_type for output in cells[2].outputs] == ["stream", "error"]
    assert cells[3].outputs == []


def test_the_notebook_is_saved_once(tmp_path, monkeypatch):
    from papermill.iorw import papermill_io

    written = []
    monkeypatch.setattr(papermill_io, "write", lambda buffer, path: written.append(path))
    papermill.execute_notebook(
        str(NOTEBOOKS / "echo.ipynb"), "out.ipynb", engine_name=ENGINE_NAME, kernel_name="python3", progress_bar=False
    )
    assert written == ["out.ipynb"]


def test_papermill_finds_the_engine_by_its_entry_point():
    from papermill.engines import papermill_engines

    assert papermill_engines.get_engine(ENGINE_NAME) is ForkedShellEngine


def test_streams_are_copied_to_papermills_files(tmp_path):
    with (tmp_path / "log").open("w") as log:
        run(str(NOTEBOOKS / "fails.ipynb"), str(tmp_path / "o.ipynb"), ENGINE_NAME, stdout_file=log, stderr_file=log)
    told = (tmp_path / "log").read_text()
    assert told.startswith("before\n")
    assert "ValueError: 数据缺失 1" in told
    assert "\x1b[" not in told
