"""From the event loop to a thread that decodes: bounded, and the newest counts."""

import threading
from collections import deque

from publisher.media.units import AccessUnit


class Inbox:
    """Coded pictures for one thread.

    When there is no room, all that waits is dropped up to the next key frame, and counted: of
    pictures that are key frames all, as Motion JPEG's are, only the newest stays. It begins with a
    key frame, unless the thread has ``begun`` with those before.
    """

    def __init__(self, most: int, *, begun: bool = False) -> None:
        self._most = most
        self._units: deque[AccessUnit] = deque()
        self._changed = threading.Condition()
        self._gated = not begun
        self._closed = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._units)

    def put(self, unit: AccessUnit) -> None:
        """Never blocks for long; for the loop."""
        with self._changed:
            if len(self._units) >= self._most:
                self.dropped += len(self._units)
                self._units.clear()
                self._gated = True
            if self._gated and not unit.key:
                self.dropped += 1
                return
            self._gated = False
            self._units.append(unit)
            self._changed.notify()

    def get(self) -> AccessUnit | None:
        """The next picture as soon as there is one; None when it was closed. For the thread."""
        with self._changed:
            self._changed.wait_for(lambda: self._units or self._closed)
            return None if self._closed else self._units.popleft()

    def close(self) -> None:
        """The thread ends with the picture that it is at."""
        with self._changed:
            self._closed = True
            self._changed.notify()
