"""How many requests an address may make: token buckets, a bounded number of them."""

from collections import OrderedDict


class Rates:
    """``per_second`` in the long run, ``burst`` at once, for each of the addresses seen lately."""

    def __init__(self, per_second: float, burst: int, *, remembered: int = 10_000) -> None:
        self._interval = 1 / per_second
        self._span = burst * self._interval
        self._remembered = remembered
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def refused(self, address: str, now: float) -> float:
        """Seconds until the next request may come; 0 when this one may, and then it is counted."""
        full_at = max(self._full_at.get(address, 0.0), now) + self._interval
        if full_at - now > self._span:
            return full_at - now - self._span
        self._full_at[address] = full_at
        self._full_at.move_to_end(address)
        if len(self._full_at) > self._remembered:
            self._full_at.popitem(last=False)
        return 0.0
