"""Logs for people and for journals: one line an event, never a secret, never a flood.

Levels: ERROR the program cannot do its job; WARNING somebody should look; INFO what a person at
the terminal wants to know; DEBUG everything else.
"""

import hashlib
import logging
import secrets
import time

_KEY = secrets.token_bytes(16)  # fresh at every start: hashes in logs cannot be looked up later


def setup(level: str) -> None:
    """Logs to standard error; aiohttp, aiortc and aioice only when something is wrong."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)-7s %(message)s")
    for name in ("aiohttp", "aiortc", "aioice", "libav"):
        logging.getLogger(name).setLevel(logging.WARNING)


def room_hash(room: str) -> str:
    """A name for a room in logs: tells rooms apart, cannot be turned back into a room ID."""
    return hashlib.blake2b(room.encode(), key=_KEY, digest_size=6).hexdigest()


class Throttle:
    """Lets a repeated event through at most once a second and counts what it held back."""

    def __init__(self, seconds: float = 1.0) -> None:
        self._seconds = seconds
        self._next = 0.0
        self._held = 0
        self.held = 0

    def ready(self) -> bool:
        """Whether to log now; if so, ``held`` is how many were held back since the last time."""
        now = time.monotonic()
        if now < self._next:
            self._held += 1
            return False
        self._next = now + self._seconds
        self.held, self._held = self._held, 0
        return True
