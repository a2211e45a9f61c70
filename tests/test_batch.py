"""Jobs, fresh processes, and what a run leaves when reports fail, die, hang or are interrupted."""

import json
import math
import operator
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from kpi_research.errors import InputError
from kpi_research.language import LANGUAGES
from kpi_research.run import workers
from kpi_research.run.batch import Job, JobError, render, run_jobs
from kpi_research.run.workers import ForkingExecutor, WorkerDied, WorkerTimeout

NOTEBOOKS = Path(__file__).parent / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))

import standin  # noqa: E402


@pytest.fixture(scope="module")
def executor():
    with ForkingExecutor(2) as made:
        yield made


@pytest.fixture
def make(tmp_path):
    """A job by its notebook's stem; all its files under `tmp_path`."""

    def job(notebook, parameters=None, *, name=None, export="standin:export", timeout_seconds=60.0):
        name = name or notebook
        return Job(
            name=name,
            notebook=NOTEBOOKS / f"{notebook}.ipynb",
            parameters=parameters or {},
            folder=tmp_path / "out" / name,
            log=tmp_path / "logs" / f"{name}.log",
            export=export,
            timeout_seconds=timeout_seconds,
        )

    return job


def run(jobs, executor):
    return run_jobs(jobs, executor, on_done=lambda result: None)


def left_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_task_returns_its_value_or_raises_its_error(executor):
    assert executor.submit(operator.add, 1, 2).result() == 3
    with pytest.raises(ZeroDivisionError) as raised:
        executor.submit(operator.truediv, 1, 0).result()
    assert "Traceback" in raised.value.__notes__[0]


@pytest.mark.parametrize(
    ("task", "arguments", "exit_code"),
    [(os._exit, (3,), 3), (sys.exit, (4,), 4), (os.abort, (), -signal.SIGABRT)],
)
def test_a_task_that_dies_names_its_end_and_its_memory(executor, task, arguments, exit_code):
    with pytest.raises(WorkerDied) as died:
        executor.submit(task, *arguments).result()
    assert died.value.exit_code == exit_code
    assert died.value.peak_mb > 10
    assert executor.submit(operator.add, 1, 2).result() == 3


def test_a_task_over_its_time_is_killed(executor):
    started = time.monotonic()
    with pytest.raises(WorkerTimeout):
        executor.submit_within(0.3, time.sleep, 60).result()
    assert time.monotonic() - started < 5


def test_two_tasks_never_share_a_process_and_two_run_at_once(executor):
    assert len({executor.submit(os.getpid).result() for _ in range(5)}) == 5
    started = time.monotonic()
    for future in [executor.submit(time.sleep, 0.6) for _ in range(2)]:
        future.result()
    assert time.monotonic() - started < 1.1


def test_a_large_answer_comes_through(executor):
    assert len(executor.submit(operator.mul, b"x", 20_000_000).result()) == 20_000_000


def test_the_warm_parent_holds_no_network_socket(executor):
    executor.submit(operator.add, 1, 2).result()
    parent = Path("/proc", str(executor._processes._process.pid))
    held = {str(descriptor.readlink()) for descriptor in (parent / "fd").iterdir()}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in (parent / "net" / table).read_text().splitlines()[1:]:
            assert f"socket:[{line.split()[9]}]" not in held


def test_a_fork_of_the_warm_parent_has_one_thread_and_a_working_database(executor):
    assert executor.submit(threading.active_count).result() == 1
    assert [executor.submit(standin.sum_in_database, 1_000_000).result() for _ in range(5)] == [499_999_500_000] * 5


def test_without_fork_the_answers_are_the_same(monkeypatch):
    monkeypatch.setattr(workers, "CAN_FORK", False)
    with ForkingExecutor(2) as spawning:
        assert spawning.submit(operator.add, 1, 2).result() == 3
        with pytest.raises(WorkerDied, match="exit 3"):
            spawning.submit(os._exit, 3).result()
        with pytest.raises(ZeroDivisionError):
            spawning.submit(operator.truediv, 1, 0).result()
        with pytest.raises(WorkerTimeout):
            spawning.submit_within(1.0, time.sleep, 60).result()


def test_leaving_with_an_error_kills_what_runs():
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), ForkingExecutor(1, warm=None) as short:
        pid = short.submit(os.getpid).result()
        running, waiting = short.submit(time.sleep, 60), short.submit(time.sleep, 60)
        time.sleep(0.3)
        raise KeyboardInterrupt
    assert time.monotonic() - started < 10
    assert running.exception() is not None
    assert waiting.cancelled()
    assert pid


def test_results_come_in_the_order_of_the_jobs_and_each_is_told_once(make, executor):
    jobs = [make("hangs", {"seconds": 0.5}, name="slow"), make("echo", name="quick")]
    told = []
    results = run_jobs(jobs, executor, on_done=told.append)
    assert [result.name for result in results] == ["slow", "quick"]
    assert sorted(result.name for result in told) == ["quick", "slow"]
    assert all(result.status == "done" and result.peak_mb > 50 for result in results)
    assert results[0].files == ("hangs.html", "hangs.ipynb", "results.json")


def test_parameters_arrive_as_they_were_sent(make, executor):
    sent = {
        "text": "华南“二”组\n'引号' \\ {{x}} {y} \"🎯\"",
        "many": ["电话量", 'a"b', 1, None],
        "nested": {"拜访": 0.5, "深": {"列表": [1, None, True, [2.5]]}},
        "share": 1,
        "count": 10**12,
        "flag": False,
        "nothing": float("nan"),
    }
    job = make("echo", sent)
    (result,) = run([job], executor)
    assert result.status == "done"
    notebook = nbformat.read(job.folder / "echo.ipynb", 4)
    got = json.loads(notebook.cells[-1].outputs[0].text)
    assert got[:-1] == list(sent.values())[:-1]
    assert math.isnan(got[-1])


def test_a_report_sees_nothing_of_the_one_before(make, executor):
    jobs = [make("leaks", {"leave": True}, name="first"), make("leaks", name="second")]
    for job in jobs:
        run([job], executor)
    found = json.loads(nbformat.read(jobs[1].folder / "leaks.ipynb", 4).cells[-2].outputs[0].text)
    assert found == dict.fromkeys(found, False) | {"environment": None}


@pytest.mark.slow
@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_any_executor_will_do_and_leaks_no_more(make, pool):
    jobs = [make("leaks", {"leave": True}, name="first"), make("leaks", name="second"), make("dies", name="third")]
    with pool(1) as executor:
        first, second, third = run(jobs, executor)
    assert (first.status, second.status, third.error.kind) == ("done", "done", "died")
    found = json.loads(nbformat.read(jobs[1].folder / "leaks.ipynb", 4).cells[-2].outputs[0].text)
    assert not any(found.values())


@pytest.mark.parametrize(("how", "message"), [("exit", "exit 3"), ("kill", "SIGKILL"), ("segfault", "SIGSEGV")])
def test_a_crash_costs_one_report(make, executor, tmp_path, how, message):
    died, well = run([make("dies", {"how": how}), make("echo")], executor)
    assert (died.status, died.error) == ("failed", JobError("died", message=message))
    assert well.status == "done"
    assert left_in(tmp_path / "out") == ["echo/echo.html", "echo/echo.ipynb", "echo/results.json"]
    assert "last words" in (tmp_path / "logs" / "dies.log").read_text()


def test_a_failing_cell_is_shown_named_and_logged(make, executor, tmp_path):
    job = make("fails")
    (result,) = run([job], executor)
    assert result.error == JobError("cell", '[3] raise ValueError(f"数据缺失 {a}")', "ValueError: 数据缺失 1")
    assert result.files == ("fails.html", "fails.ipynb", "results.json")
    assert "数据缺失 1" in (job.folder / "fails.html").read_text()
    assert "before" in job.log.read_text()
    assert "ValueError" in job.log.read_text()
    for language in LANGUAGES:
        assert "数据缺失 1" in result.error.text(language)


def test_a_report_out_of_time_shows_what_it_had(make, executor):
    job = make("hangs", timeout_seconds=0.5)
    (result,) = run([job], executor)
    assert (result.error.kind, result.files) == ("timeout", ("hangs.html", "hangs.ipynb", "results.json"))
    assert "NotebookTimeout" in (job.folder / "hangs.html").read_text()


def test_a_report_that_does_not_listen_is_killed(make, executor, tmp_path, monkeypatch):
    monkeypatch.setattr("kpi_research.run.batch.GRACE_SECONDS", 0.5)
    (result,) = run([make("hangs", {"how": "deaf"}, timeout_seconds=0.5)], executor)
    assert (result.error.kind, result.files) == ("timeout", ())
    assert left_in(tmp_path / "out") == []


def test_a_failed_section_fails_the_job_and_keeps_its_page(make, executor):
    (result,) = run([make("echo", export="standin:export_with_failed_section")], executor)
    assert result.error == JobError("section", "funnel")
    assert "echo.html" in result.files


def test_an_export_that_raises_leaves_the_notebook_only(make, executor, tmp_path):
    (result,) = run([make("echo", export="standin:export_that_raises")], executor)
    assert (result.error.kind, result.files) == ("export", ("echo.ipynb",))
    assert left_in(tmp_path / "out") == ["echo/echo.ipynb"]


def test_the_notebook_is_valid_the_same_each_time_and_tells_nothing_of_its_maker(make, executor):
    jobs = [make("fails", name="one"), make("fails", name="two")]
    run(jobs, executor)
    first, second = ((job.folder / "fails.ipynb").read_bytes() for job in jobs)
    assert first == second
    nbformat.validate(nbformat.reads(first.decode(), 4))
    told = first.decode()
    for trace in (str(Path.home()), sys.prefix, str(jobs[0].folder), "papermill", "start_time", "duration"):
        assert trace not in told


@pytest.mark.slow
def test_render_makes_a_process_of_its_own_where_it_is_not_in_one(make):
    assert render(make("dies")).error.kind == "died"


def test_no_report_runs_when_one_gets_a_parameter_that_it_does_not_declare(make, executor, tmp_path):
    with pytest.raises(InputError, match="cuont"):
        run([make("echo", name="good"), make("echo", {"cuont": 1})], executor)
    assert left_in(tmp_path) == []


DRIVER = """
import sys
from pathlib import Path

sys.path.insert(0, {notebooks!r})
from kpi_research.run.batch import Job, run_jobs
from kpi_research.run.workers import ForkingExecutor

root, seconds = Path({root!r}), float(sys.argv[1])
notebook = Path({notebooks!r}) / "hangs.ipynb"
jobs = [
    Job(name, notebook, {{"seconds": s}}, root / name, root / f"{{name}}.log", "standin:export")
    for name, s in (("quick", 0.0), ("slow", seconds), ("slower", seconds), ("last", seconds))
]
try:
    with ForkingExecutor(2) as executor:
        run_jobs(jobs, executor, on_done=lambda result: print(result.name, result.status, flush=True))
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""


@pytest.mark.slow
def test_an_interrupt_keeps_what_is_done_and_the_next_run_finishes(tmp_path):
    code = DRIVER.format(notebooks=str(NOTEBOOKS), root=str(tmp_path))
    first = subprocess.Popen([sys.executable, "-c", code, "60"], stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "quick done\n"
    while not (tmp_path / "slow.log").exists() or "starts" not in (tmp_path / "slow.log").read_text():
        time.sleep(0.05)
    sent = time.monotonic()
    first.send_signal(signal.SIGINT)
    assert first.communicate(timeout=20)[0] == "interrupted\n"
    assert time.monotonic() - sent < 3
    assert first.returncode == 130
    logs = {"quick.log", "slow.log", "slower.log"}
    finished = {"quick/hangs.html", "quick/hangs.ipynb", "quick/results.json"}
    assert finished | {"slow.log"} <= set(left_in(tmp_path)) <= finished | logs

    again = subprocess.run([sys.executable, "-c", code, "0"], capture_output=True, text=True, check=True)
    assert sorted(again.stdout.splitlines()) == ["last done", "quick done", "slow done", "slower done"]
