"""The engine in which a client's exports become canonical tables: a DuckDB of its own, on disk, bounded in memory."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import ibis

from kpi_research.crm.engine import MEMORY_LIMIT

Opened = TypeVar("Opened")
Progress = Callable[[str, int, int | None], None]


class Workspace:
    """A DuckDB for one reading of one client; use it as a context manager.

    Parameters
    ----------
    folder
        Where it may write; a temporary folder by default. Everything in it is gone afterwards.
    progress
        Called with a database's table, its rows copied so far and how many there are, if that is known.
    """

    def __init__(self, folder: Path | None = None, progress: Progress | None = None) -> None:
        self.progress = progress
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="kpi-read-", dir=folder))
        self.engine = ibis.duckdb.connect(
            self.folder / "rows.duckdb", memory_limit=MEMORY_LIMIT, temp_directory=str(self.folder / "spill")
        )
        # these rows live for minutes; compressing them would be a quarter of the work of reading
        self.engine.raw_sql("set force_compression='uncompressed'")
        self._numbers = itertools.count(1)
        self._open = ExitStack()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the engine and remove everything that was written."""
        self._open.close()
        self.engine.disconnect()
        shutil.rmtree(self.folder, ignore_errors=True)

    def enter(self, opened: AbstractContextManager[Opened]) -> Opened:
        """Open something that stays open as long as the workspace does: a connection whose rows are not copied."""
        return self._open.enter_context(opened)

    def new_name(self, what: str) -> str:
        """A table name that nothing else here has."""
        return f"{what}_{next(self._numbers)}"
