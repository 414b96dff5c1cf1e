"""The current group of pictures, kept so that a viewer sees something at once.

Without it a viewer waits for the next IDR: up to ten seconds with many cameras.
"""

import logging

from publisher.media.units import AccessUnit

logger = logging.getLogger(__name__)

MAX_FRAMES = 900  # 30 s at 30 frames/s
MAX_BYTES = 16 * 1024 * 1024


class GopCache:
    """Access units since the last IDR; empty while there was none or the GOP is over its bounds."""

    def __init__(self, max_frames: int = MAX_FRAMES, max_bytes: int = MAX_BYTES) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._units: list[AccessUnit] = []
        self._bytes = 0
        self._told = False

    def add(self, unit: AccessUnit) -> None:
        """Takes the next access unit of the stream."""
        if unit.key:
            self._forget()
        elif not self._units:
            return
        self._units.append(unit)
        self._bytes += len(unit.data)
        if len(self._units) > self._max_frames or self._bytes > self._max_bytes:
            self._forget()
            self._tell()

    def clear(self) -> None:
        """Forgets the pictures, as when the camera was lost."""
        self._forget()
        self._told = False

    def _tell(self) -> None:
        """Once for a source: its next GOPs are most likely as long."""
        if not self._told:
            self._told = True
            logger.warning("GOPs are too long to keep: who joins may wait for the next IDR.")

    def _forget(self) -> None:
        self._units = []
        self._bytes = 0

    def units(self) -> tuple[AccessUnit, ...]:
        """What a new viewer must have to decode the next picture."""
        return tuple(self._units)
