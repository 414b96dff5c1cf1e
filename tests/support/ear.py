"""Hears the test tone: its pitch, and where it jumps up an octave."""

from collections.abc import Sequence
from itertools import pairwise


def pitch(samples: Sequence[float], rate: int) -> float:
    """The frequency of a pure tone in Hz, 0 when there is none."""
    rising = _rising(samples)
    return (len(rising) - 1) * rate / (rising[-1] - rising[0]) if len(rising) > 1 else 0.0


def jumps(samples: Sequence[float], rate: int) -> list[float]:
    """Where 1 kHz becomes 2 kHz, in seconds from the first sample; good to about a millisecond."""
    rising = _rising(samples)
    pitches = [round(rate / (after - at) / 1000) for at, after in pairwise(rising)]
    # Five periods of each: a codec's ringing is not a jump.
    jump = [1] * 5 + [2] * 5
    return [rising[i] / rate for i in range(5, len(pitches)) if pitches[i - 5 : i + 5] == jump]


def _rising(samples: Sequence[float]) -> list[float]:
    """Where the sound rises through zero, between samples."""
    return [
        i + before / (before - after)
        for i, (before, after) in enumerate(pairwise(samples))
        if before < 0 <= after
    ]
