"""The test picture and the test tone: what they show and sound follows from the wall clock alone.

Whoever receives them can tell which frame arrived, how late, and how far sound and picture are
apart: the picture carries a machine-readable time code, and in the first 100 ms of every second
it flashes while the tone jumps an octave.

Standard library only: the tests' RTSP camera draws with it on a Python that has no packages.
"""

import time
from array import array
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, sin

from publisher.sources.canvas import BLACK, GLYPH_COLUMNS, WHITE, Canvas, Colour, chords

Plane = bytes | bytearray | memoryview

MIN_WIDTH, MIN_HEIGHT = 320, 180

FLASH_MS = 100  # of every full second
FLASH_SPOT = (0.3, 0.42)  # centre of the flash, in widths and heights

SAMPLE_RATE = 48_000
TONE_HZ, FLASH_HZ = 1_000, 2_000  # both have whole periods in a millisecond: no clicks between
_AMPLITUDE = 0.2  # of full scale, -14 dB: loud enough to measure, quiet enough for a demo


_PANEL = Colour(22, 134, 122)
_BRASS, _BRASS_DARK, _RIVET = Colour(150, 88, 150), Colour(84, 100, 146), Colour(200, 96, 144)
_BALL = Colour(150, 60, 190)
_SEA = Colour(70, 168, 96)
_BARS = (
    Colour(180),
    Colour(162, 44, 142),
    Colour(131, 156, 44),
    Colour(112, 72, 58),
    Colour(84, 184, 198),
    Colour(65, 100, 212),
    Colour(35, 212, 114),
    Colour(40),
)

# ── the time code ───────────────────────────────────────────────────────────
# Two rows of 40 square cells along the lower edge. Each row starts with three sync cells, inverse
# to each other: they show the reader black and white as they arrive, and a picture without a code
# is told from one with it.

_CELLS = 40
_SYNC = ("101", "010")
_FRAME_BITS, _TIME_BITS, _CHECK_BITS = 24, 42, 8  # 2^42 ms: until 2109
_ROW_BITS = _CELLS - len(_SYNC[0])
_MIN_CONTRAST = 64  # a quarter of the range: codecs and scaling cost a few levels, never so many


@dataclass(frozen=True, slots=True)
class TimeCode:
    """Which frame this is, counted modulo 2^24, and when it was drawn."""

    frame: int
    unix_ms: int


def _check(bits: str) -> int:
    """CRC-8 with the polynomial x⁸+x²+x+1, started at 255 so that all black is no code."""
    crc = 0xFF
    for bit in bits:
        crc = (crc << 1 & 0xFF) ^ (0x07 if crc >> 7 ^ int(bit) else 0)
    return crc


def _cells(code: TimeCode) -> tuple[str, str]:
    """The two rows of cells; "1" is white."""
    frame = code.frame % (1 << _FRAME_BITS)
    payload = f"{frame:0{_FRAME_BITS}b}{code.unix_ms:0{_TIME_BITS}b}"
    bits = f"{payload}{_check(payload):0{_CHECK_BITS}b}"
    return _SYNC[0] + bits[:_ROW_BITS], _SYNC[1] + bits[_ROW_BITS:]


def read(y_plane: Plane, stride: int, width: int, height: int) -> TimeCode | None:
    """The time code in a luma plane, also of a picture that was scaled; None when there is none."""
    levels = [_levels(y_plane, stride, width, height, row) for row in (0, 1)]
    sync = [level for row in levels for level in row[:3]]
    whites, blacks = (sync[0], sync[2], sync[4]), (sync[1], sync[3], sync[5])
    if min(whites) - max(blacks) < _MIN_CONTRAST:
        return None
    threshold = (sum(whites) + sum(blacks)) // 6
    bits = "".join("1" if level > threshold else "0" for row in levels for level in row[3:])
    payload, check = bits[:-_CHECK_BITS], bits[-_CHECK_BITS:]
    if _check(payload) != int(check, 2):
        return None
    return TimeCode(int(payload[:_FRAME_BITS], 2), int(payload[_FRAME_BITS:], 2))


def _levels(y_plane: Plane, stride: int, width: int, height: int, row: int) -> list[int]:
    """The mean luma of the middle of each cell: edges are where codecs ring."""
    cell = width / _CELLS
    middle = height - (1.5 - row) * cell
    lines = [int(middle + cell * part) * stride for part in (-0.2, 0, 0.2)]
    spans = [(int((i + 0.3) * cell), max(1, int(0.4 * cell))) for i in range(_CELLS)]
    return [
        sum(sum(y_plane[line + x : line + x + n]) for line in lines) // (3 * n) for x, n in spans
    ]


# ── the picture ─────────────────────────────────────────────────────────────


class Pattern:
    """Draws the test picture.

    ``width`` is a multiple of 16 and ``height`` even, 320×180 at least and at most twice as wide as
    high; ValueError otherwise.
    """

    def __init__(self, width: int = 1280, height: int = 720) -> None:
        if width % 16 or height % 2 or min(width / MIN_WIDTH, height / MIN_HEIGHT) < 1:
            raise ValueError(
                f"A test picture cannot be {width}x{height}: it is {MIN_WIDTH}x{MIN_HEIGHT} at "
                "least, its width a multiple of 16 and its height even."
            )
        if width > 2 * height:
            raise ValueError(f"{width}x{height} is too flat: at most twice as wide as high.")
        self.width, self.height = width, height
        self._scale = width * 2 // 5 // (GLYPH_COLUMNS * len("00:00:00.000"))
        self._ball = width // 64
        edges = [i * width // _CELLS for i in range(_CELLS + 1)]
        self._cells = [
            {"0": bytes((BLACK.y,)) * (right - left), "1": bytes((WHITE.y,)) * (right - left)}
            for left, right in pairwise(edges)
        ]
        self._calm = self._background(flash=False)
        self._flash = self._background(flash=True)

    def draw(self, frame: int, unix_ms: int) -> bytearray:
        """One picture, I420: the Y, U and V planes without padding."""
        flashes = unix_ms % 1000 < FLASH_MS
        canvas = Canvas(self.width, self.height, self._flash if flashes else self._calm)
        self._write(canvas, frame, unix_ms)
        self._roll(canvas, frame)
        self._encode(canvas, TimeCode(frame, unix_ms))
        return canvas.data

    def _write(self, canvas: Canvas, frame: int, unix_ms: int) -> None:
        clock = time.strftime("%H:%M:%S", time.localtime(unix_ms // 1000))
        x, line = self._text_left, self._line
        canvas.text(x, line(3), self._scale, f"{clock}.{unix_ms % 1000:03}", _PANEL)
        canvas.text(x, line(4), self._scale, f"FRAME {frame % 1_000_000:06}", _PANEL)

    def _roll(self, canvas: Canvas, frame: int) -> None:
        """The ball goes to and fro above the band, a step every frame."""
        radius, step = self._ball, max(2, self.width // 320 * 2)
        way = (self.width - 2 * radius) // 2 * 2
        at = frame * step % (2 * way)
        canvas.disc(radius + min(at, 2 * way - at), self._band_top - 2 * radius, radius, _BALL)

    def _encode(self, canvas: Canvas, code: TimeCode) -> None:
        tops = (self._band_top, (self._band_top + self.height) // 2, self.height)
        for row, bits in enumerate(_cells(code)):
            line = b"".join(cell[bit] for cell, bit in zip(self._cells, bits, strict=True))
            canvas.luma(0, tops[row], tops[row + 1], line)

    # ── what stands still ──

    def _background(self, *, flash: bool) -> bytes:
        canvas = Canvas(self.width, self.height)
        for y in range(self.height):
            shade = y * 40 // self.height
            canvas.run(y, 0, self.width, Colour(88 - shade, 146 - shade // 4, 112 + shade // 8))
        self._draw_porthole(canvas, flash=flash)
        self._draw_panel(canvas)
        canvas.box(0, self._band_top, self.width, self.height, BLACK)
        return bytes(canvas.data)

    def _draw_porthole(self, canvas: Canvas, *, flash: bool) -> None:
        x, y = int(FLASH_SPOT[0] * self.width), int(FLASH_SPOT[1] * self.height)
        radius = int(min(0.3 * self.height, 0.22 * self.width))
        canvas.disc(x, y, radius * 5 // 4, _BRASS_DARK)
        canvas.disc(x, y, radius * 6 // 5, _BRASS)
        for rivet in range(12):
            angle = rivet * pi / 6
            at = x + int(radius * 1.125 * cos(angle)), y + int(radius * 1.125 * sin(angle))
            canvas.disc(*at, max(2, radius // 24), _RIVET)
        canvas.disc(x, y, radius * 21 // 20, _BRASS_DARK)
        if flash:
            canvas.disc(x, y, radius, WHITE)
        else:
            self._draw_view(canvas, x, y, radius)

    def _draw_view(self, canvas: Canvas, x: int, y: int, radius: int) -> None:
        """Colour bars above the horizon, the sea below."""
        bar = 2 * radius // len(_BARS)
        for dy, half in chords(radius):
            if dy > radius // 3:
                canvas.run(y + dy, x - half, x + half, _SEA._replace(y=_SEA.y - dy * 24 // radius))
                continue
            for i, colour in enumerate(_BARS):
                left = max(-half, i * bar - radius)
                right = min(half, (i + 1) * bar - radius if i + 1 < len(_BARS) else radius)
                if left < right:
                    canvas.run(y + dy, x + left, x + right, colour)

    def _draw_panel(self, canvas: Canvas) -> None:
        margin, x, line = 3 * self._scale, self._text_left, self._line
        right = x + GLYPH_COLUMNS * len("00:00:00.000") * self._scale
        canvas.box(x - margin, line(0) - margin, right + margin, line(5), _PANEL)
        canvas.text(x, line(0), self._scale, "PORTHOLE", _PANEL)
        canvas.text(x, line(1), self._scale, "TEST CAMERA", _PANEL)

    @property
    def _text_left(self) -> int:
        return self.width * 11 // 20

    @property
    def _band_top(self) -> int:
        return self.height - 2 * (self.width // _CELLS)

    def _line(self, number: int) -> int:
        """The top of a line of writing, five of them around the window's middle."""
        pitch = 10 * self._scale
        return int(FLASH_SPOT[1] * self.height) + int((number - 2.4) * pitch)


# ── the tone ────────────────────────────────────────────────────────────────


def _second() -> bytes:
    """One second of it, s16; every second is the same."""
    flash = SAMPLE_RATE * FLASH_MS // 1000
    turn = 2 * pi / SAMPLE_RATE
    peak = _AMPLITUDE * 32767
    pitches = (FLASH_HZ if i < flash else TONE_HZ for i in range(SAMPLE_RATE))
    samples = array("h", (round(peak * sin(turn * hz * i)) for i, hz in enumerate(pitches)))
    return samples.tobytes()


_SECOND = _second()


def tone(first: int, count: int) -> bytes:
    """``count`` samples of sound, s16 mono, at most a second.

    ``first`` is the wall-clock time of the first one in samples since the Unix epoch: the unix
    time times 48,000.
    """
    start = first % SAMPLE_RATE
    end = start + count
    samples = _SECOND[2 * start : 2 * min(end, SAMPLE_RATE)]
    return samples + _SECOND[: 2 * max(0, end - SAMPLE_RATE)]
