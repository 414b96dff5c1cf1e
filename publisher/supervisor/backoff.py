"""How long to wait before the next try."""

import random


class Backoff:
    """Doubling delays with full jitter, so that a thousand cameras do not return as one."""

    def __init__(self, first: float, most: float) -> None:
        self._first = first
        self._most = most
        self._step = first

    def next(self) -> float:
        """Seconds to wait now: between half a step and a whole one."""
        step, self._step = self._step, min(self._step * 2, self._most)
        return step * random.uniform(0.5, 1.0)  # noqa: S311  # spreads load, guards nothing

    def reset(self) -> None:
        """After a success."""
        self._step = self._first
