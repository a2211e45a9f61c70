"""An IPython shell for one notebook inside this process, and the recorder that turns what cells do into outputs.

What a cell prints, displays or raises becomes the same outputs as on a kernel. Text that bypasses Python (`os.system`,
C code) is caught in files under descriptors 1 and 2 and read back whenever an output is recorded: no threads, no pipes
that could fill up. Its order among Python's own outputs is kept; the order between the two descriptors is not.
"""

from __future__ import annotations

import binascii
import codecs
import contextlib
import io
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbformat import NotebookNode
from traitlets import Any as AnyTrait
from traitlets import Type

ANSI_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class CapturedDescriptor:
    """A file descriptor of this process, pointed at a temporary file between `open` and `close`."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name, self.descriptor = name, descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def open(self) -> None:
        """Point the descriptor at the file; who writes to it meets no limit."""
        file, path = tempfile.mkstemp(prefix="kpi-")
        self._path, self._reader = Path(path), Path(path).open("rb")  # noqa: SIM115 - closed in close()
        self._before = os.dup(self.descriptor)
        os.dup2(file, self.descriptor)
        os.close(file)
        # a killed process leaves nothing behind; Windows lets go of the file only when it is closed
        with contextlib.suppress(PermissionError):
            self._path.unlink(missing_ok=True)

    def read(self) -> str:
        """What was written since the last call."""
        return self._decoder.decode(self._reader.read())

    def close(self) -> None:
        """Put the descriptor back."""
        os.dup2(self._before, self.descriptor)
        os.close(self._before)
        self._reader.close()
        self._path.unlink(missing_ok=True)


class Recorder:
    """Collects the outputs of one cell after another.

    Parameters
    ----------
    tee
        Files to which the streams `stdout` and `stderr` are copied as they come.
    """

    def __init__(self, tee: dict[str, IO[str] | None]) -> None:
        self.outputs: list[NotebookNode] = []
        self._tee = tee
        self._displayed: dict[str, list[NotebookNode]] = {}
        self._clear_before_next = False
        self._lock = threading.RLock()
        self._captured = [CapturedDescriptor("stdout", 1), CapturedDescriptor("stderr", 2)]

    def __enter__(self) -> Recorder:
        """Start catching what is written to the descriptors."""
        _flush_interpreter()
        for captured in self._captured:
            captured.open()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop catching."""
        _flush_interpreter()
        for captured in self._captured:
            captured.close()

    def start_cell(self) -> None:
        """Collect into a fresh list, `outputs`."""
        self.outputs, self._clear_before_next = [], False

    def finish_cell(self) -> None:
        """Take in what still stands in buffers."""
        _flush_interpreter()
        self._take_descriptors()

    def stream(self, name: str, text: str) -> None:
        """Text on `stdout` or `stderr`; neighbours on the same stream are joined."""
        with self._lock:
            self._take_descriptors()
            self._write(name, text)

    def display(self, data: dict[str, Any], metadata: dict[str, Any], display_id: str | None, update: bool) -> None:
        """A displayed object, or new content for all that were displayed under this id."""
        data = {mime: _as_json(value) for mime, value in data.items()}
        if update:
            for shown in self._displayed.get(display_id or "", []):
                shown.data, shown.metadata = NotebookNode(data), NotebookNode(metadata)
            return
        output = self._append("display_data", data=NotebookNode(data), metadata=NotebookNode(metadata))
        if display_id is not None:
            self._displayed.setdefault(display_id, []).append(output)

    def result(self, data: dict[str, Any], metadata: dict[str, Any], execution_count: int) -> None:
        """The value of a cell's last expression."""
        data = {mime: _as_json(value) for mime, value in data.items()}
        content = {"data": NotebookNode(data), "metadata": NotebookNode(metadata)}
        self._append("execute_result", **content, execution_count=execution_count)

    def error(self, name: str, value: str, traceback: list[str]) -> None:
        """An exception that ended the cell."""
        self._append("error", ename=name, evalue=value, traceback=traceback)
        self._copy("stderr", ANSI_COLOURS.sub("", "\n".join(traceback)) + "\n")

    def clear(self, wait: bool) -> None:
        """Drop the cell's outputs, now or when the next one comes."""
        with self._lock:
            self._take_descriptors()
            self._clear_before_next = wait
            if not wait:
                self.outputs.clear()

    def _append(self, output_type: str, **content: Any) -> NotebookNode:
        with self._lock:
            self._take_descriptors()
            self._clear_if_asked()
            self.outputs.append(NotebookNode(output_type=output_type, **content))
            return self.outputs[-1]

    def _take_descriptors(self) -> None:
        for captured in self._captured:
            if text := captured.read():
                self._write(captured.name, text)

    def _write(self, name: str, text: str) -> None:
        self._clear_if_asked()
        last = self.outputs[-1] if self.outputs else None
        if last is not None and last.get("name") == name:
            last.text += text
        else:
            self.outputs.append(NotebookNode(output_type="stream", name=name, text=text))
        self._copy(name, text)

    def _copy(self, name: str, text: str) -> None:
        if (file := self._tee.get(name)) is not None:
            file.write(text)
            file.flush()

    def _clear_if_asked(self) -> None:
        if self._clear_before_next:
            self.outputs.clear()
            self._clear_before_next = False


class RecordedStream(io.TextIOBase):
    """What `sys.stdout` and `sys.stderr` are while a notebook runs."""

    encoding = "utf-8"

    def __init__(self, name: str, descriptor: int, recorder: Recorder) -> None:
        self._name, self._descriptor, self._recorder, self._process = name, descriptor, recorder, os.getpid()

    def write(self, text: str) -> int:
        """Record the text. A child that a cell forked has no recorder: it writes to the caught descriptor."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if os.getpid() == self._process:
            self._recorder.stream(self._name, text)
        else:
            os.write(self._descriptor, text.encode(errors="replace"))
        return len(text)

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The caught descriptor, so that subprocesses may inherit it."""
        return self._descriptor


class ReportPublisher(DisplayPublisher):
    """Where `display(...)` and `clear_output()` end."""

    def publish(  # type: ignore[override]
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        """Record the object; the signature is IPython's."""
        self.shell.recorder.display(data, metadata or {}, (transient or {}).get("display_id"), update)

    def clear_output(self, wait: bool = False) -> None:
        """Drop the cell's outputs."""
        self.shell.recorder.clear(wait)


class ReportDisplayHook(DisplayHook):
    """Where the value of a cell's last expression ends."""

    def write_output_prompt(self) -> None:
        """Nothing: the number stands in the output."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        """Record the value."""
        recorder: Recorder = getattr(self.shell, "recorder")  # noqa: B009 - IPython types its shell as None
        recorder.result(format_dict, md_dict or {}, self.prompt_count)

    def finish_displayhook(self) -> None:
        """Nothing is left open."""
        self._is_active = False


class ReportShell(InteractiveShell):
    """IPython's shell with its outputs recorded, and without profile folder, history file or terminal."""

    recorder = AnyTrait()
    displayhook_class = Type(ReportDisplayHook)
    display_pub_class = Type(ReportPublisher)

    def init_ipython_dir(self, ipython_dir: Any) -> None:  # noqa: ARG002
        """No folder in the user's home is read or made: a report must not depend on whose machine makes it."""
        self.ipython_dir = tempfile.gettempdir()

    def init_profile_dir(self, profile_dir: Any) -> None:  # noqa: ARG002
        """None, for the same reason; what magics would keep there lives as long as the notebook."""
        self.db = {}

    def enable_gui(self, gui: Any = None) -> None:
        """Nothing: there is no window to open. `%matplotlib inline` asks for it."""

    def _showtraceback(self, etype: type[BaseException], evalue: Any, stb: list[str]) -> None:
        self.recorder.error(etype.__name__, str(evalue), stb)


def interpreter_streams() -> Iterator[IO[str]]:
    """The interpreter's own `stdout` and `stderr`, where there are any."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None and not stream.closed:
            yield stream


def _flush_interpreter() -> None:
    for stream in interpreter_streams():
        stream.flush()


def _as_json(value: Any) -> Any:
    return binascii.b2a_base64(value).decode("ascii") if isinstance(value, bytes) else value
