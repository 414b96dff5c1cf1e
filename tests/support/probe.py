"""What a page shows and sounds like, measured inside it; see page_probe.js.

Tests ask for so many pictures, and wait for a tone: how long that takes depends on the machine.
Benchmarks ask for what is presented in so many seconds.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import nan
from statistics import median
from typing import Any, Protocol

from publisher.sources.pattern import TimeCode
from tests.support.cameras import Nal
from tests.support.waiting import PATIENCE, until

PLAYER = "porthole-player"
LIVE = 1000  # ms: no picture that is called live is older
_LISTEN = 0.6  # seconds, of which half a second is measured

_SHOW = """async (film) => {
    const bytes = Uint8Array.from(atob(film), (letter) => letter.charCodeAt(0));
    const src = URL.createObjectURL(new Blob([bytes], { type: 'video/mp4' }));
    const video = Object.assign(document.createElement('video'), { src });
    document.body.replaceChildren(video);
    await video.play();
}"""


class Page(Protocol):
    """A page in any browser."""

    async def evaluate(self, expression: str, arg: Any = None) -> Any:
        """The value of the expression, or what the function makes of the argument."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it was presented: when, at which size, and what it showed."""

    media_time: float  # seconds
    presented: int  # frames since the video began
    wall: float  # milliseconds since the Unix epoch
    width: int
    height: int
    code: TimeCode | None
    flash: bool


@dataclass(frozen=True, slots=True)
class Pictures:
    """The frames that were presented during a while."""

    frames: list[Frame]

    @property
    def codes(self) -> list[TimeCode]:
        """The time codes that could be read."""
        return [frame.code for frame in self.frames if frame.code]

    @property
    def rate(self) -> float:
        """Presented frames a second, also those between that the probe was too late for."""
        if len(self.frames) < 2:
            return 0.0
        first, last = self.frames[0], self.frames[-1]
        return 1000 * (last.presented - first.presented) / (last.wall - first.wall)

    @property
    def delays(self) -> list[float]:
        """Milliseconds from the camera's drawing to the screen, for each picture."""
        return [frame.wall - frame.code.unix_ms for frame in self.frames if frame.code]

    @property
    def delay(self) -> float:
        """Their median; not a number when no picture could be read."""
        return median(self.delays) if self.delays else nan

    @property
    def moves(self) -> bool:
        """Whether every picture that could be read was drawn after the one before."""
        return ahead(self.codes) and len(self.codes) > 1


@dataclass(frozen=True, slots=True)
class Sound:
    """Half a second of sound: its pitch, 0 when it is silent, and its RMS level, 1 at the most."""

    hz: float
    level: float


@dataclass(frozen=True, slots=True)
class Sync:
    """How late picture and sound are, in milliseconds; each jump of the tone is measured."""

    picture_delay: float
    sound_delays: list[float]

    @property
    def offset(self) -> float:
        """How much later than the picture the sound is; negative when it is earlier.

        Not a number when no picture could be read, or no jump was heard.
        """
        return median(self.sound_delays) - self.picture_delay if self.sound_delays else nan


def ahead(codes: Sequence[TimeCode]) -> bool:
    """Whether each was drawn after the one before; a camera that was late draws two at once."""
    return all((a.unix_ms, a.frame) < (b.unix_ms, b.frame) for a, b in pairwise(codes))


async def pictures(page: Page, target: str = PLAYER, *, count: int = 20) -> Pictures:
    """The next frames that the target presents, so many of them."""
    seen = await _frames(page, target, PATIENCE, count)
    assert len(seen.frames) == count, f"it has shown no more than {len(seen.frames)} pictures"
    return seen


async def pictures_during(page: Page, target: str = PLAYER, *, seconds: float) -> Pictures:
    """The frames that the target presents in the next seconds; for benchmarks."""
    return await _frames(page, target, seconds)


async def live(page: Page, target: str = PLAYER, *, count: int = 20) -> Pictures:
    """Waits for so many pictures in a row, each drawn after the one before, less than LIVE ago.

    Not at the first look: who lost packets is sent the cached GOP, and sees that part twice.
    """

    async def fresh() -> Pictures | None:
        seen = await pictures(page, target, count=count)
        return seen if seen.moves and seen.delay < LIVE else None

    found = await until(fresh)
    assert isinstance(found, Pictures)
    return found


async def _frames(page: Page, target: str, seconds: float, count: int | None = None) -> Pictures:
    asked = [target, seconds * 1000, *([] if count is None else [count])]
    seen = await page.evaluate("(asked) => portholeProbe.frames(...asked)", asked)
    return Pictures([_frame(frame) for frame in seen])


async def sound(page: Page, target: str = PLAYER, *, seconds: float = 1.0) -> Sound:
    """What the target plays in the end of the next seconds; turns the sound on and leaves it so.

    To the page this counts as a visitor's touch.
    """
    heard = await page.evaluate("([t, ms]) => portholeProbe.sound(t, ms)", [target, seconds * 1000])
    return Sound(**heard)


async def tone(page: Page, target: str = PLAYER, *, hz: float = 1000) -> Sound:
    """Waits until the target plays a tone of this pitch, that of the test camera; see ``sound``."""

    async def heard() -> Sound | None:
        now = await sound(page, target, seconds=_LISTEN)
        return now if abs(now.hz - hz) < hz / 50 else None

    found = await until(heard)
    assert isinstance(found, Sound)
    return found


async def recorded_sound(page: Page, target: str = PLAYER, *, seconds: float = 1.5) -> Sound:
    """What a recording of the target sounds like: needs no sound card, and no touch."""
    heard = await page.evaluate(
        "([t, ms]) => portholeProbe.recorded(t, ms)", [target, seconds * 1000]
    )
    return Sound(**heard)


async def sync(page: Page, target: str = PLAYER, *, seconds: float = 4.0) -> Sync:
    """Compares picture and sound: the tone jumps when a full second begins by the time code."""
    both = await page.evaluate("([t, ms]) => portholeProbe.both(t, ms)", [target, seconds * 1000])
    delay = Pictures([_frame(frame) for frame in both["frames"]]).delay
    # Which second a jump belongs to, nobody can hear: the one that fits the picture best.
    return Sync(delay, [delay + (jump - delay + 500) % 1000 - 500 for jump in both["jumps"]])


async def show(page: Page, film: bytes) -> None:
    """Plays an MP4 in the place of all that the page has, as its only ``video``."""
    await page.evaluate(_SHOW, b64encode(film).decode())
    await sound(page, "video")


async def received_units(page: Page) -> list[tuple[Nal, ...]]:
    """The coded pictures that an ``encoded`` page has received so far."""
    units = await page.evaluate("portholeUnits")
    return [tuple(Nal(*nal) for nal in unit) for unit in units]


def _frame(seen: dict[str, Any]) -> Frame:
    code = seen["code"] and TimeCode(seen["code"]["frame"], seen["code"]["unixMs"])
    return Frame(
        media_time=seen["mediaTime"],
        presented=seen["presented"],
        wall=seen["wall"],
        width=seen["width"],
        height=seen["height"],
        code=code,
        flash=seen["flash"],
    )
