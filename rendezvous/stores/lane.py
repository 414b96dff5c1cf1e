"""A thread for a SQLite database, which the event loop need not wait for."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from rendezvous.stores.contract import StoreUnavailableError

_T = TypeVar("_T")

_BUSY = 0.5  # seconds for somebody else's lock: a backup is short, and peers wait for the answer


class Lane:
    """A thread with a connection of its own to the database: what it is asked is done in order."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._database: sqlite3.Connection | None = None

    async def open(self, path: Path | None, prepare: Callable[[sqlite3.Connection], None]) -> None:
        """Connects; raises what ``prepare`` does, and sqlite3.Error."""
        await self._on_thread(lambda: self._open(path, prepare))

    async def run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Does the work in a transaction; raises StoreUnavailableError when it cannot be done."""
        return await self._on_thread(lambda: self._guarded(work))

    async def close(self) -> None:
        """Gives the connection and the thread back."""
        await self._on_thread(self._close)
        self._thread.shutdown(wait=False)

    async def _on_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # ── on the thread ────────────────────────────────────────────────────────────────────────

    def _open(self, path: Path | None, prepare: Callable[[sqlite3.Connection], None]) -> None:
        self._database = sqlite3.connect(path or ":memory:", timeout=_BUSY)
        prepare(self._database)

    def _guarded(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        if self._database is None:
            raise StoreUnavailableError("The store is not open.")
        try:
            with self._database:
                return work(self._database)
        except sqlite3.Error as error:
            raise StoreUnavailableError(str(error)) from error

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
