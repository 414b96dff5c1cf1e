"""What a camera tells its viewers about itself, from before it was seen until it is lost."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from publisher.errors import SourceError
from publisher.media.format import B_FRAMES, Format
from publisher.sources import reader
from publisher.supervisor import camera as module
from publisher.supervisor.camera import Camera
from rendezvous.wire.messages import IcePolicy, Source
from tests.support.films import film

MEDIA = film(seconds=0.1, size=(64, 48)).media


class Room:
    """Hears all that its camera says, and stands for the server."""

    def __init__(
        self, _place: object, _guests: object, *, source: Callable[[], Source], **_: Any
    ) -> None:
        self.told = [source()]
        self.send = self.told.append

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass


async def told(monkeypatch: pytest.MonkeyPatch, media: Format, *, aac_first: bool) -> list[Source]:
    """By a camera that starts, is live with this format, and is lost."""
    lost = asyncio.Event()

    async def read(_source: object, _timeline: object, *, on_format: Any, **_: Any) -> None:
        if lost.is_set():
            await asyncio.Event().wait()
        on_format(media)
        lost.set()
        raise SourceError("source_interrupted", "It was live and stopped sending.")

    rooms: list[Room] = []

    def keeper(*place: Any, **callbacks: Any) -> Room:
        rooms.append(Room(*place, **callbacks))
        return rooms[-1]

    monkeypatch.setattr(reader, "read", read)
    monkeypatch.setattr(module, "RoomKeeper", keeper)
    camera = Camera(
        SimpleNamespace(name="camera"),
        SimpleNamespace(room=SimpleNamespace(ice_policy=IcePolicy.ALL)),  # type: ignore[arg-type]
        None,
        most_viewers=1,
        keep_alive=True,
        on_claimed=lambda _: None,
        aac_first=aac_first,
    )
    running = asyncio.create_task(camera.run())
    await lost.wait()
    await asyncio.sleep(0)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    return rooms[0].told


@pytest.mark.parametrize(
    ("media", "aac_first", "legs"),
    [
        (MEDIA, False, [("rtp",), ("rtp", "fmp4"), ("rtp", "fmp4")]),
        (MEDIA, True, [("fmp4", "rtp")] * 3),
        (replace(MEDIA, aac=None), True, [("fmp4", "rtp"), ("rtp", "fmp4"), ("rtp", "fmp4")]),
        (replace(MEDIA, obstacle=B_FRAMES), False, [("rtp",), ("fmp4",), ("fmp4",)]),
    ],
    ids=["usual", "AAC first", "AAC first, without AAC", "B-frames"],
)
async def test_viewers_that_come_early_or_late_are_told_the_ways_that_are_most_likely(
    monkeypatch: pytest.MonkeyPatch, media: Format, *, aac_first: bool, legs: list[tuple[str, ...]]
) -> None:
    sources = await told(monkeypatch, media, aac_first=aac_first)
    assert [str(source.state) for source in sources] == ["starting", "live", "lost"]
    assert [source.legs for source in sources] == legs
