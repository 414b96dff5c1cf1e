"""The program ``publisher`` on a path that loses everything for a while after SIGUSR1.

    python -m tests.support.lossy_publisher SECONDS start …

Only media is lost: checks and reports still pass, so nobody thinks that the connection is over. The
while begins with the first loss, and has many, also on a machine that stands still meanwhile.
"""

import math
import signal
import sys
import time
from typing import Final

from publisher.__main__ import main
from publisher.rtc.path import Direct

_LEAST: Final = 60  # bursts: a second or two of picture and sound


class Loss:
    """What the path loses; ``seconds`` is how long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lossless = Direct.send
        self._left = 0  # bursts that are still to be lost
        self._until = 0.0

    def begin(self, *_: object) -> None:
        """The handler of the signal."""
        self._left, self._until = _LEAST, math.inf
        print("The path loses everything now.", flush=True)

    def send(self, direct: Direct, packets: memoryview, size: int) -> int:
        """Takes the place of the path's own."""
        if self._until and self._is_lossy(time.monotonic()):
            return len(packets)
        return self._lossless(direct, packets, size)

    def _is_lossy(self, now: float) -> bool:
        self._until = min(self._until, now + self._seconds)
        self._left -= 1
        lossy = now < self._until or self._left > 0
        if not lossy:
            self._until = 0.0
            print("The path loses nothing any more.", flush=True)
        return lossy


def install(loss: Loss) -> None:
    """In the place of the path's own method, which knows its path."""

    def send(direct: Direct, packets: memoryview, size: int) -> int:
        return loss.send(direct, packets, size)

    signal.signal(signal.SIGUSR1, loss.begin)
    Direct.send = send  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    install(Loss(float(sys.argv.pop(1))))
    main()
