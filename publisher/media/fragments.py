"""The fragments that a camera's viewers are at, kept once for all of them.

A viewer's place is a number: what it has not taken yet waits here and nowhere else, so a slow
viewer costs no memory, and one that is too slow is overtaken. Muxing waits for the first viewer
that comes to a fragment, so a camera that nobody watches this way pays nothing.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from publisher.media import fmp4
from publisher.media.boxes import Track, init_segment
from publisher.media.gop import MAX_BYTES, MAX_FRAMES
from publisher.media.packets import SECOND
from publisher.media.tracks import Tracks
from publisher.media.units import AacFrame, AccessUnit, AudioBlock, Unit

TARDY = SECOND // 2  # behind the camera by more: a viewer goes on at a key frame, if there is one
DEAF = 2 * SECOND  # of pictures without a sound: a player would wait for it for ever
BATCH = 16  # units


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """What is the same for all fragments until the format changes."""

    video: Track
    audio: Track | None
    mime: str
    init: bytes

    @classmethod
    def of(cls, video: Track, audio: Track | None) -> "Generation":
        """Of these tracks."""
        tracks = (video, audio) if audio else (video,)
        return cls(video, audio, fmp4.mime(tracks), init_segment(tracks))


class Fragment:
    """One frame of picture or sound, for all viewers; muxed when it is asked for."""

    __slots__ = ("_data", "_make", "generation", "pictures", "size", "time")

    def __init__(
        self, generation: Generation, time: int, size: int, pictures: int, make: Callable[[], bytes]
    ) -> None:
        self.generation = generation
        self.time = time  # of decoding, in microseconds of the camera's timeline
        self.size = size
        self.pictures = pictures  # how many the camera has made, with this one
        self._make: Callable[[], bytes] | None = make
        self._data = b""

    @property
    def data(self) -> bytes:
        """A moof and its mdat."""
        if self._make:
            self._data, self._make = self._make(), None
        return self._data


class Fragments:
    """The current group of pictures with its sound, and the little before it; numbered.

    Units wait for their numbers until somebody looks, or until there are some of them: one by
    one, 30 times a second, each finds the caches cold, and costs ten times as much as in a row.
    """

    def __init__(self, max_pictures: int = MAX_FRAMES, max_bytes: int = MAX_BYTES) -> None:
        self._max_pictures = max_pictures
        self._max_bytes = max_bytes
        self._fresh: list[Unit] = []
        self._kept: deque[Fragment] = deque()
        self._first = 0  # number of the oldest that is kept
        self._key: int | None = None
        self._bytes = 0
        self._pictures = 0
        self._tracks: Tracks | None = None
        self._generation: Generation | None = None
        self._times = fmp4.PictureTimes()
        self._heard: int | None = None

    @property
    def first(self) -> int:
        """The number of the oldest that is kept."""
        self._settle()
        return self._first

    @property
    def key(self) -> int | None:
        """The number of the last one that a viewer can begin with."""
        self._settle()
        return self._key

    @property
    def end(self) -> int:
        """The number that the next one will have."""
        self._settle()
        return self._end

    @property
    def _end(self) -> int:
        return self._first + len(self._kept)

    def __getitem__(self, number: int) -> Fragment:
        self._settle()
        return self._kept[number - self._first]

    @property
    def latest(self) -> int:
        """When the last one is decoded."""
        self._settle()
        return self._kept[-1].time if self._kept else 0

    def use(self, tracks: Tracks | None) -> None:
        """What the next units are; None: nothing that a viewer could have."""
        if tracks == self._tracks:
            return
        self._settle()
        self._tracks = tracks
        self._heard = None
        if self._generation and (tracks is None or tracks[0] != self._generation.video):
            self._generation = None  # else the pictures go on, and the sound from the next key on

    def clear(self) -> None:
        """Forgets all, as when the camera was lost."""
        self._settle()
        self._first = self._end
        self._key = None
        self._kept.clear()
        self._bytes = 0
        self._heard = None

    def add(self, unit: Unit) -> None:
        """Takes the next unit of the camera."""
        self._fresh.append(unit)
        if len(self._fresh) >= BATCH:
            self._settle()

    def _settle(self) -> None:
        if self._fresh:
            fresh, self._fresh = self._fresh, []  # before: none is placed twice, whatever fails
            for unit in fresh:
                self._place(unit)

    def _place(self, unit: Unit) -> None:
        if isinstance(unit, AccessUnit):
            self._add_picture(unit)
        elif self._tracks and (audio := self._tracks[1]) and fmp4.carries(audio, unit):
            self._heard = unit.pts
            self._add_sound(unit, audio)

    def _add_picture(self, unit: AccessUnit) -> None:
        if unit.key:
            self._begin(unit.dts)
        generation = self._generation
        if generation is None:
            return
        if unit.key:
            self._key = self._end
        timing = self._times.place(unit)
        make = partial(fmp4.picture, self._end, generation.video, unit, timing)
        self._pictures += 1
        self._keep(Fragment(generation, unit.dts, len(unit.data), self._pictures, make))

    def _add_sound(self, unit: AacFrame | AudioBlock, audio: Track) -> None:
        generation = self._generation
        if generation and generation.audio == audio:
            make = partial(fmp4.sound, self._end, audio, unit)
            self._keep(Fragment(generation, unit.pts, len(unit.data), self._pictures, make))

    def _begin(self, now: int) -> None:
        """A generation begins with a key frame if anything is another than before."""
        if self._tracks is None:
            return
        video, audio = self._tracks
        self._heard = now if self._heard is None else self._heard
        tracks = (video, audio if now - self._heard < DEAF else None)
        if self._generation is None or (self._generation.video, self._generation.audio) != tracks:
            self._generation = Generation.of(*tracks)

    def _keep(self, fragment: Fragment) -> None:
        self._kept.append(fragment)
        self._bytes += fragment.size
        if self._key is not None and self._is_too_long():
            self._key = None  # who joins now waits for the next key frame
        while self._is_past() or (len(self._kept) > 1 and self._is_too_long()):
            self._bytes -= self._kept.popleft().size
            self._first += 1

    def _is_too_long(self) -> bool:
        pictures = self._pictures - self._kept[0].pictures
        return pictures >= self._max_pictures or self._bytes > self._max_bytes

    def _is_past(self) -> bool:
        """Whether the oldest serves nobody any more."""
        needed = self._key is not None and self._key <= self._first
        return not needed and self._kept[0].time < self._kept[-1].time - TARDY


# ── one viewer ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Skip:
    """So many pictures, and the sound beside them, are left out."""

    pictures: int


@dataclass(frozen=True, slots=True)
class Live:
    """The viewer has everything that there is."""


Step: TypeAlias = Generation | Fragment | Skip | Live


class Reader:
    """One viewer's place. It begins at the last key frame, and is brought to it when too slow."""

    def __init__(self, fragments: Fragments) -> None:
        self._fragments = fragments
        self._at: int | None = None
        self._generation: Generation | None = None
        self._pictures = 0  # that the camera had made when the viewer took its last fragment
        self._is_live = False
        self.skipped = 0

    def begin_anew(self) -> None:
        """The viewer has lost what it had."""
        self._at = None

    def next(self) -> Step | None:
        """What the viewer is to have next; None: nothing yet."""
        if self._at is None and not self._begin():
            return None
        if self._is_overtaken():
            return self._skip()
        return self._advance()

    def _begin(self) -> bool:
        self._at = self._fragments.key
        if self._at is None:
            return False
        self._pictures = self._fragments[self._at].pictures - 1
        self._generation = None
        return True

    def _is_overtaken(self) -> bool:
        """Whether the viewer is late, and there is a key frame ahead to go on with."""
        key = self._fragments.key
        if key is None or self._at is None or key <= self._at:
            return False
        gone = self._at < self._fragments.first
        return gone or self._fragments.latest - self._fragments[self._at].time > TARDY

    def _skip(self) -> Skip:
        assert self._fragments.key is not None  # noqa: S101  # tells the type checker
        self._at = self._fragments.key
        self._is_live = False
        missed = self._fragments[self._at].pictures - 1 - self._pictures
        self.skipped += missed
        self._pictures += missed
        return Skip(missed)

    def _advance(self) -> Generation | Fragment | Live | None:
        assert self._at is not None  # noqa: S101  # tells the type checker
        if not self._fragments.first <= self._at < self._fragments.end:
            return self._wait()
        fragment = self._fragments[self._at]
        if fragment.generation is not self._generation:
            self._generation = fragment.generation
            self._is_live = False
            return fragment.generation
        self._at += 1
        self._pictures = fragment.pictures
        return fragment

    def _wait(self) -> Live | None:
        if self._is_live or self._at != self._fragments.end:
            return None
        self._is_live = True
        return Live()
