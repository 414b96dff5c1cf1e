"""The program ``publisher`` on a path that loses everything for a while after SIGUSR1.

    python -m tests.support.lossy_publisher SECONDS start …

Only media is lost: checks and reports still pass, so nobody thinks that the connection is over.
"""

import signal
import sys
import time

from publisher.__main__ import main
from publisher.rtc.path import Direct


def lose(seconds: float) -> None:
    """From now on, each signal makes the path lossy for so long."""
    lossless = Direct.send
    until = 0.0

    def begin(*_: object) -> None:
        nonlocal until
        until = time.monotonic() + seconds
        print("The path loses everything now.", flush=True)

    def send(direct: Direct, packets: memoryview, size: int) -> int:
        lost = time.monotonic() < until
        return len(packets) if lost else lossless(direct, packets, size)

    signal.signal(signal.SIGUSR1, begin)
    Direct.send = send  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    lose(float(sys.argv.pop(1)))
    main()
