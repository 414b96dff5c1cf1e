"""Drawing on an I420 picture with what Python has: runs of pixels and a bitmap font."""

from functools import lru_cache
from math import isqrt
from typing import NamedTuple


class Colour(NamedTuple):
    """Y, U and V in video range (16–235, 16–240 around 128)."""

    y: int
    u: int = 128
    v: int = 128


BLACK, WHITE = Colour(16), Colour(235)


class Canvas:
    """A picture of even size in one buffer: the Y, U and V planes without padding."""

    def __init__(self, width: int, height: int, data: bytes | None = None) -> None:
        self.width, self.height = width, height
        self.data = bytearray(width * height * 3 // 2 if data is None else data)
        self._u = width * height
        self._v = self._u + self._u // 4

    def run(self, y: int, left: int, right: int, colour: Colour) -> None:
        """Part of one line; its chroma is drawn with the even lines."""
        self._fill(y * self.width + left, right - left, colour.y)
        if y % 2 == 0:
            at, length = y // 2 * (self.width // 2) + left // 2, right // 2 - left // 2
            self._fill(self._u + at, length, colour.u)
            self._fill(self._v + at, length, colour.v)

    def box(self, left: int, top: int, right: int, bottom: int, colour: Colour) -> None:
        """A rectangle."""
        for y in range(top, bottom):
            self.run(y, left, right, colour)

    def disc(self, x: int, y: int, radius: int, colour: Colour) -> None:
        """A filled circle around a point."""
        for dy, half in chords(radius):
            self.run(y + dy, x - half, x + half, colour)

    def luma(self, x: int, top: int, bottom: int, line: bytes) -> None:
        """The same luma on several lines; chroma stays."""
        for at in range(top * self.width + x, bottom * self.width + x, self.width):
            self.data[at : at + len(line)] = line

    def text(self, x: int, y: int, scale: int, text: str, paper: Colour) -> None:
        """White writing on a colour that is there already."""
        glyphs = [_glyph(character, scale, WHITE.y, paper.y) for character in text]
        for row in range(GLYPH_ROWS):
            line = b"".join(rows[row] for rows in glyphs)
            self.luma(x, y + row * scale, y + (row + 1) * scale, line)

    def _fill(self, at: int, length: int, level: int) -> None:
        self.data[at : at + length] = bytes((level,)) * length


@lru_cache(maxsize=64)
def chords(radius: int) -> tuple[tuple[int, int], ...]:
    """A circle's lines: how far below the centre, and half how long."""
    return tuple((dy, isqrt(radius * radius - dy * dy)) for dy in range(-radius, radius))


# ── the font ────────────────────────────────────────────────────────────────

GLYPH_COLUMNS = 6  # of a character's cell: five and a gap
GLYPH_ROWS = 7

# A row is five bits, the left column first.
_GLYPHS = {
    " ": (0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00),
    ".": (0x00, 0x00, 0x00, 0x00, 0x00, 0x0C, 0x0C),
    ":": (0x00, 0x0C, 0x0C, 0x00, 0x0C, 0x0C, 0x00),
    "0": (0x0E, 0x11, 0x11, 0x15, 0x11, 0x11, 0x0E),
    "1": (0x04, 0x0C, 0x14, 0x04, 0x04, 0x04, 0x1F),
    "2": (0x0E, 0x11, 0x01, 0x06, 0x08, 0x10, 0x1F),
    "3": (0x0E, 0x11, 0x01, 0x06, 0x01, 0x11, 0x0E),
    "4": (0x02, 0x06, 0x0A, 0x12, 0x1F, 0x02, 0x02),
    "5": (0x1F, 0x10, 0x1E, 0x01, 0x01, 0x11, 0x0E),
    "6": (0x06, 0x08, 0x10, 0x1E, 0x11, 0x11, 0x0E),
    "7": (0x1F, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08),
    "8": (0x0E, 0x11, 0x11, 0x0E, 0x11, 0x11, 0x0E),
    "9": (0x0E, 0x11, 0x11, 0x0F, 0x01, 0x02, 0x0C),
    "A": (0x04, 0x0A, 0x11, 0x11, 0x1F, 0x11, 0x11),
    "C": (0x0E, 0x11, 0x10, 0x10, 0x10, 0x11, 0x0E),
    "E": (0x1F, 0x10, 0x10, 0x1E, 0x10, 0x10, 0x1F),
    "F": (0x1F, 0x10, 0x10, 0x1E, 0x10, 0x10, 0x10),
    "H": (0x11, 0x11, 0x11, 0x1F, 0x11, 0x11, 0x11),
    "L": (0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1F),
    "M": (0x11, 0x1B, 0x15, 0x15, 0x11, 0x11, 0x11),
    "O": (0x0E, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0E),
    "P": (0x1E, 0x11, 0x11, 0x1E, 0x10, 0x10, 0x10),
    "R": (0x1E, 0x11, 0x11, 0x1E, 0x14, 0x12, 0x11),
    "S": (0x0F, 0x10, 0x10, 0x0E, 0x01, 0x01, 0x1E),
    "T": (0x1F, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04),
}


@lru_cache(maxsize=256)
def _glyph(character: str, scale: int, ink: int, paper: int) -> tuple[bytes, ...]:
    """One character as seven lines of luma bytes, each pixel ``scale`` bytes wide."""
    return tuple(_line(row, scale, ink, paper) for row in _GLYPHS[character])


def _line(row: int, scale: int, ink: int, paper: int) -> bytes:
    # Six bits, not five: shifting left makes the gap.
    bits = format(row << 1, f"0{GLYPH_COLUMNS}b")
    return b"".join(bytes([ink if bit == "1" else paper]) * scale for bit in bits)
