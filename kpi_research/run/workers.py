"""Fresh processes as an executor: one for each task, forked from a warm parent, or spawned where there is no fork.

Nothing that a task leaves behind can reach the next, and a task that dies takes nothing else with it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Protocol

from kpi_research.errors import RunError
from kpi_research.run.forkserver import ENDING, LENGTH, STARTED

WARM = "kpi_research.run.warm:warm"
# Forking is unsafe with Apple's system libraries, as CPython's own default there says.
CAN_FORK = hasattr(os, "fork") and sys.platform != "darwin"
# The same bytes whatever the machine's cores and whenever it runs: no BLAS threads, no random order of sets.
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}


class WorkerDied(RunError):  # noqa: N818 - what happened, as BrokenProcessPool
    """The process of a task ended without an answer.

    Parameters
    ----------
    exit_code
        Its exit status; the negative number of the signal that killed it.
    peak_mb
        Its peak memory in megabytes, None where unknown.
    """

    def __init__(self, exit_code: int, peak_mb: float | None = None) -> None:
        self.exit_code, self.peak_mb, self.how = exit_code, peak_mb, describe_exit(exit_code)
        super().__init__("run.worker_died", how=self.how)


class WorkerTimeout(RunError, TimeoutError):  # noqa: N818
    """A task took longer than it may and was killed."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__("run.worker_timeout", seconds=f"{seconds:g}")


def describe_exit(exit_code: int) -> str:
    """An exit status as `exit 3` or `SIGKILL`."""
    if exit_code >= 0:
        return f"exit {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"


class ForkingExecutor(Executor):
    """Runs each task in a process of its own, `max_workers` at a time.

    Parameters
    ----------
    max_workers
        How many tasks run at once.
    warm
        What the parent of all tasks calls once before the first, as `module:function`; None for nothing. Without fork
        it is not called: each process imports what it needs.
    timeout_seconds
        Time that a task sent with `submit` may take; None for any.

    Notes
    -----
    Tasks and answers are pickled, so a task is a function of an importable module. Tasks see the working directory, the
    environment and the import path as they were when the executor was made.
    """

    def __init__(self, max_workers: int = 2, *, warm: str | None = WARM, timeout_seconds: float | None = None) -> None:
        self._threads = ThreadPoolExecutor(max_workers, thread_name_prefix="kpi-worker")
        self._timeout = timeout_seconds
        self._processes: _Processes = _ForkServer(warm) if CAN_FORK else _Spawner()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `fn(*args, **kwargs)`; the future raises WorkerDied or WorkerTimeout where there is no answer."""
        return self._threads.submit(self._call, pickle.dumps((fn, args, kwargs)), self._timeout)

    def submit_within(self, timeout_seconds: float | None, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """The same with a time limit of its own, counted from the start of the task's process."""
        return self._threads.submit(self._call, pickle.dumps((fn, args, {})), timeout_seconds)

    def terminate_workers(self) -> None:
        """Kill what runs, cancel what waits, and return when all processes are gone."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._processes.terminate()
        self.shutdown()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; the warm parent ends with the last."""
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        if wait:
            self._processes.close()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.shutdown() if kind is None else self.terminate_workers()

    def _call(self, payload: bytes, timeout_seconds: float | None) -> Any:
        succeeded, value = pickle.loads(self._processes.run(payload, timeout_seconds))  # noqa: S301 - our own child's
        if succeeded:
            return value
        raise value


class _Processes(Protocol):
    def run(self, payload: bytes, timeout_seconds: float | None) -> bytes:
        """The answer of a fresh process to a pickled call."""

    def terminate(self) -> None:
        """End the processes that run."""

    def close(self) -> None:
        """End the parent process, if there is one."""


class _ForkServer:
    """The caller's side of `forkserver.py`; each call waits on a socket of its own."""

    def __init__(self, warm: str | None) -> None:
        self._control, theirs = socket.socketpair()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._terminated = False
        source = (
            f"import sys; sys.path[:] = {sys.path!r}; import socket; from kpi_research.run.forkserver import serve; "
            f"serve(socket.socket(fileno={theirs.fileno()}), {warm!r})"
        )
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter
                [sys.executable, "-c", source],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **ENVIRONMENT},
                # an interrupt from the keyboard is the caller's: it hangs up and all children end
                start_new_session=True,
            )

    def run(self, payload: bytes, timeout_seconds: float | None) -> bytes:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, self._lock:
                if self._terminated:
                    raise WorkerDied(-signal.SIGTERM)
                self._open.add(ours)
                self._send(payload, theirs)
            try:
                return self._receive(ours, timeout_seconds)
            finally:
                with self._lock:
                    self._open.discard(ours)

    def terminate(self) -> None:
        with self._lock:
            self._terminated = True
            for ours in self._open:
                _hang_up(ours)

    def close(self) -> None:
        self._control.close()
        self._process.wait()

    def _send(self, payload: bytes, theirs: socket.socket) -> None:
        try:
            socket.send_fds(self._control, [LENGTH.pack(len(payload))], [theirs.fileno()])
            self._control.sendall(payload)
        except OSError:
            raise WorkerDied(self._process.wait()) from None

    def _receive(self, ours: socket.socket, timeout_seconds: float | None) -> bytes:
        if ours.recv(1) != STARTED:
            raise WorkerDied(-signal.SIGTERM if self._terminated else self._process.wait())
        watchdog = threading.Timer(timeout_seconds or threading.TIMEOUT_MAX, _hang_up, [ours])
        watchdog.daemon = True
        watchdog.start()
        try:
            received = _read_all(ours)
            late = not watchdog.is_alive()
        finally:
            watchdog.cancel()
        if self._process.poll() is not None:
            raise WorkerDied(self._process.returncode)
        exit_code, peak = ENDING.unpack(received[-ENDING.size :])
        if exit_code == 0:
            return received[: -ENDING.size]
        if late and timeout_seconds:
            raise WorkerTimeout(timeout_seconds)
        raise WorkerDied(exit_code, peak / 1e6)


class _Spawner:
    """A new interpreter for each call."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._terminated = False

    def run(self, payload: bytes, timeout_seconds: float | None) -> bytes:
        if self._terminated:
            raise WorkerDied(-signal.SIGTERM)
        source = f"import sys; sys.path[:] = {sys.path!r}; from kpi_research.run.forkserver import spawned; spawned()"
        with subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-c", source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **ENVIRONMENT},
        ) as process:
            self._running.add(process)
            try:
                received, _ = process.communicate(payload, timeout_seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                raise WorkerTimeout(timeout_seconds or 0) from None
            finally:
                self._running.discard(process)
        if process.returncode:
            raise WorkerDied(process.returncode)
        return received

    def terminate(self) -> None:
        self._terminated = True
        for process in list(self._running):
            process.kill()

    def close(self) -> None:
        pass


def _read_all(ours: socket.socket) -> bytes:
    received = bytearray()
    while part := ours.recv(1 << 20):
        received += part
    return bytes(received)


def _hang_up(ours: socket.socket) -> None:
    """Tell the server that nobody waits; it kills the child and says so on the other half of the line."""
    with contextlib.suppress(OSError):
        ours.shutdown(socket.SHUT_WR)
