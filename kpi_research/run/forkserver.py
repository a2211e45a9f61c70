"""A warm process that forks one child for each task it is sent, and the frame that a task runs in.

`workers.py` starts it and speaks to it over a Unix socket. Each request carries a pickled call and one end of a socket
pair, on which the child writes its pickled answer and the server, when the child is gone, how it went: exit status
and peak memory. When the caller hangs up (a time limit, an interrupt, its own death), the child and all it started are
killed. One loop, no threads, nothing on the network.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import selectors
import signal
import socket
import struct
import sys
import traceback
from dataclasses import dataclass, field
from typing import NoReturn

LENGTH = struct.Struct("!Q")
ENDING = struct.Struct("!iq")
STARTED = b"s"
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024

_fresh_process = 0


def serve(control: socket.socket, warm: str | None) -> None:
    """Warm up, then fork a child a request until the caller closes `control`.

    Parameters
    ----------
    warm
        What to call first, as `module:function`.
    """
    if warm:
        module, function = warm.split(":")
        getattr(importlib.import_module(module), function)()
    server = Server(control)
    with contextlib.suppress(EOFError):
        while True:
            server.step()
    server.kill_all()


@dataclass
class Server:
    """The children that run and the sockets on which their callers wait."""

    control: socket.socket
    callers: dict[int, socket.socket] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._alarm, alarm_in = socket.socketpair()
        for end in (self._alarm, alarm_in):
            end.setblocking(False)
        self._alarm_in = alarm_in
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(alarm_in.fileno(), warn_on_full_buffer=False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.control, selectors.EVENT_READ)
        self._selector.register(self._alarm, selectors.EVENT_READ)

    def step(self) -> None:
        """Wait for a request, a child's end or a caller that hangs up, and answer it."""
        for key, _ in self._selector.select():
            if key.fileobj is self.control:
                self._start()
            elif key.fileobj is self._alarm:
                self._alarm.recv(4096)
                self._reap()
            elif key.data in self.callers:
                _kill(key.data)
                self._selector.unregister(key.fileobj)

    def kill_all(self) -> None:
        """End every child."""
        for child in self.callers:
            _kill(child)

    def _start(self) -> None:
        payload, caller = receive(self.control)
        # before the child can write its answer
        with contextlib.suppress(OSError):
            caller.sendall(STARTED)
        child = os.fork()
        if child == 0:
            self._become_child(payload, caller)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpgid(child, child)
        self.callers[child] = caller
        self._selector.register(caller, selectors.EVENT_READ, child)

    def _become_child(self, payload: bytes, caller: socket.socket) -> NoReturn:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        with contextlib.suppress(PermissionError):
            os.setpgid(0, 0)
        self._selector.close()
        for other in (self.control, self._alarm, self._alarm_in, *self.callers.values()):
            other.close()
        run_task(payload, caller)

    def _reap(self) -> None:
        while self.callers:
            child, status, usage = os.wait4(-1, os.WNOHANG)
            if child == 0:
                return
            caller = self.callers.pop(child)
            with contextlib.suppress(KeyError):
                self._selector.unregister(caller)
            _kill(child)
            with contextlib.suppress(OSError):
                caller.sendall(ENDING.pack(os.waitstatus_to_exitcode(status), usage.ru_maxrss * MAXRSS_BYTES))
                # a process that a cell left behind may hold its own copy of the socket: say the end aloud
                caller.shutdown(socket.SHUT_RDWR)
            caller.close()


def receive(control: socket.socket) -> tuple[bytes, socket.socket]:
    """One request: the pickled call and the socket to answer on.

    Raises
    ------
    EOFError
        If the caller is gone.
    """
    head, descriptors, *_ = socket.recv_fds(control, LENGTH.size, 1)
    if not descriptors:
        raise EOFError
    payload = bytearray()
    (length,) = LENGTH.unpack(head)
    while len(payload) < length:
        part = control.recv(length - len(payload))
        if not part:
            raise EOFError
        payload += part
    return bytes(payload), socket.socket(fileno=descriptors[0])


def run_task(payload: bytes, caller: socket.socket) -> NoReturn:
    """Run the call in this process, answer, and end the process without anybody's clean-up."""
    status = 1
    try:
        caller.sendall(answer(payload))
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(status)


def answer(payload: bytes) -> bytes:
    """Make the pickled call; pickle `(True, value)` or `(False, exception)`."""
    global _fresh_process
    _fresh_process = os.getpid()
    try:
        function, arguments, keywords = pickle.loads(payload)  # noqa: S301 - the caller's own bytes
        return pickle.dumps((True, function(*arguments, **keywords)))
    except Exception as error:
        return pickle.dumps((False, _portable(error)))


def is_fresh_process() -> bool:
    """Whether this process was made for the one task that it runs."""
    return _fresh_process == os.getpid()


def peak_mb() -> float | None:
    """Peak memory of this process in megabytes, pages shared with its parent included; None where unknown."""
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_BYTES / 1e6


def _portable(error: Exception) -> Exception:
    """The exception with its traceback as a note; a plain one with its text where it cannot be pickled."""
    told = "".join(traceback.format_exception(error))
    error.add_note(told)
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made one line above
    except Exception:
        plain = RuntimeError(f"{type(error).__name__}: {error}")
        plain.add_note(told)
        return plain
    return error


def _kill(child: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)


def spawned() -> None:
    """Run one task in a process started for it: the call on standard input, the answer on standard output."""
    out = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(out, "wb") as file:
        file.write(answer(sys.stdin.buffer.read()))
