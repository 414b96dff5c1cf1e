"""Counts of what was refused and dropped, written to the log at most once a second."""

import logging
from collections import Counter

from rendezvous.program.logs import Throttle

log = logging.getLogger(__name__)


class Counters:
    """Named counts since the start; ``report`` logs what has changed."""

    def __init__(self) -> None:
        self.totals: Counter[str] = Counter()
        self._reported: Counter[str] = Counter()
        self._throttle = Throttle()

    def add(self, name: str) -> None:
        """Counts one more."""
        self.totals[name] += 1

    def report(self) -> None:
        """Logs the counts that have grown since the last report; cheap to call often."""
        if self.totals != self._reported and self._throttle.ready():
            grown = self.totals - self._reported
            self._reported = self.totals.copy()
            text = ", ".join(f"{name} {count}" for name, count in sorted(grown.items()))
            log.info("Refused or dropped: %s", text)
