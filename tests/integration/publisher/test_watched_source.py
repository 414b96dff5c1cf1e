"""What needs no thread is read by the event loop once a thread has opened it."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from publisher.errors import SourceError
from publisher.media.packets import Packet, Stream
from publisher.media.timeline import Timeline
from publisher.media.units import AccessUnit, Unit
from publisher.sources import reader, watch
from tests.support.media import picture
from tests.support.waiting import PATIENCE, until


class SocketCamera:
    """A source, and what it opens: each byte that it is sent is a picture; "!" is its end."""

    name = "watched camera"
    streams = (Stream("video", "h264"),)

    def __init__(self) -> None:
        self.far, self._near = socket.socketpair()
        self.readers: list[str] = []
        self.closed = threading.Event()
        self.looks = 0
        self._count = 0

    def open(self) -> "SocketCamera":
        return self

    def watch(self) -> int | None:
        self._near.setblocking(False)
        return self._near.fileno()

    def take(self) -> list[Packet]:
        self.looks += 1
        self.readers.append(threading.current_thread().name)
        try:
            data = self._near.recv(100)
        except BlockingIOError:
            return []
        if b"!" in data:
            raise SourceError("source_interrupted", "The camera has ended.")
        return [self._packet() for _ in data]

    def packets(self) -> Iterator[Packet]:
        raise AssertionError("nobody waits for it")

    def interrupt(self) -> None:
        """There is no thread that waits."""

    def close(self) -> None:
        self._near.close()
        self.closed.set()

    def _packet(self) -> Packet:
        key, time = self._count == 0, self._count * 33_333
        self._count += 1
        return Packet("video", picture(100, key=key, seed=self._count), time, None, key)


@pytest.fixture
def camera() -> Iterator[SocketCamera]:
    one = SocketCamera()
    yield one
    one.far.close()


def read(camera: SocketCamera, units: list[Unit]) -> "asyncio.Task[None]":
    reading = reader.read(camera, Timeline(), on_format=lambda _: None, on_unit=units.append)
    return asyncio.create_task(reading)


async def test_the_loop_reads_and_no_thread_remains(camera: SocketCamera) -> None:
    units: list[Unit] = []
    reading = read(camera, units)
    camera.far.send(b"ppp")
    await until(lambda: len(units) == 3)
    assert set(camera.readers) == {threading.main_thread().name}
    reader_of_it = f"reader of {camera.name}"
    await until(lambda: reader_of_it not in {thread.name for thread in threading.enumerate()})
    camera.far.send(b"p")
    await until(lambda: len(units) == 4)
    assert [isinstance(unit, AccessUnit) and unit.key for unit in units] == [True] + [False] * 3
    reading.cancel()
    await asyncio.wait([reading])
    assert camera.closed.is_set()


async def test_its_end_is_told_and_it_is_closed(camera: SocketCamera) -> None:
    reading = read(camera, [])
    camera.far.send(b"!")
    with pytest.raises(SourceError, match="has ended"):
        await reading
    assert camera.closed.is_set()


async def test_a_silent_camera_is_looked_at(
    camera: SocketCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    reading = read(camera, [])
    await until(lambda: camera.looks >= 3)
    reading.cancel()
    await asyncio.wait([reading])


async def test_who_gives_up_while_it_is_opened_leaves_nothing_open(camera: SocketCamera) -> None:
    opening = threading.Event()
    stock = camera.open
    camera.open = lambda: (opening.wait(PATIENCE), stock())[1]  # type: ignore[method-assign]
    reading = read(camera, [])
    await asyncio.sleep(0)  # the thread begins
    reading.cancel()
    await asyncio.wait([reading])
    opening.set()
    await until(camera.closed.is_set)
    assert camera.looks == 0


async def test_a_unit_that_nobody_can_take_ends_the_reading(camera: SocketCamera) -> None:
    def refuse(_: Unit) -> None:
        raise ValueError("not this one")

    reading = reader.read(camera, Timeline(), on_format=lambda _: None, on_unit=refuse)
    camera.far.send(b"p")
    with pytest.raises(ValueError, match="not this one"):
        await reading
    assert camera.closed.is_set()
