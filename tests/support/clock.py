"""A machine's clocks, turned by whoever waits: what is due comes at once, and exactly then."""


class Clock:
    """Stands in for the module ``time``, and for the event that a source waits with."""

    EPOCH = 1_790_000_000_123_456_789  # nanoseconds, when the monotonic clock was zero

    def __init__(self) -> None:
        self.now = 1_000_000_000
        """Nanoseconds on the monotonic clock."""

    def monotonic(self) -> float:
        return self.now / 10**9

    def monotonic_ns(self) -> int:
        return self.now

    def time_ns(self) -> int:
        return self.now + self.EPOCH

    def wait(self, seconds: float) -> bool:
        self.now += round(seconds * 10**9)
        return False

    def is_set(self) -> bool:
        return False

    def set(self) -> None:
        """Nobody waits."""
