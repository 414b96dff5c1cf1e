"""Stores whose time passes when a test says so."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rendezvous.stores.contract import Store
from rendezvous.stores.embedded import EmbeddedStore

RETENTION = 600.0  # seconds; a month in small
ROOMS = 3  # that an owner may have


class Clock:
    """Seconds since 1970, turned by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    async def advance(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds


@dataclass(frozen=True, slots=True)
class StoreUnderTest:
    """A store, and how time passes for it (seconds)."""

    store: Store
    advance: Callable[[float], Awaitable[None]]


@asynccontextmanager
async def embedded(path: Path | None) -> AsyncIterator[StoreUnderTest]:
    """The store of a single node, in a file or in memory."""
    clock = Clock()
    store = EmbeddedStore(
        path, clock=clock, monotonic=clock, retention=RETENTION, rooms_per_owner=ROOMS
    )
    await store.start()
    yield StoreUnderTest(store, clock.advance)
    await store.stop()
