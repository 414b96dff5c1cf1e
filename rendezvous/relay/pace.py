"""How fast a connection is read: a token bucket that delays, and never loses a message."""


class Pace:
    """``rate`` messages a second in the long run, ``burst`` at once."""

    def __init__(self, rate: float, burst: int) -> None:
        self._interval = 1 / rate
        self._span = burst * self._interval
        self._due = 0.0  # when the bucket would be full again, minus the span it can hold

    def delay(self, now: float) -> float:
        """Seconds to wait before the next message may be handled; counts that message."""
        self._due = max(self._due, now - self._span) + self._interval
        return max(0.0, self._due - now)
