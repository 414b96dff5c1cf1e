"""Which paths are too thin for a stream, and what they are given."""

from dataclasses import dataclass
from math import inf
from typing import Any

import pytest

from publisher.rtc import thinning
from publisher.rtc.thinning import Thinning

NEEDED = 250_000  # bytes/s


@dataclass
class Heard:
    """What a receiver reports."""

    loss: float = 0.0
    round_trip: float | None = 0.2
    waits: float = 0.0


class Rig:
    """A path that is reported on each half second."""

    def __init__(self, needed: float = NEEDED) -> None:
        self.thinning = Thinning()
        self.needed = needed
        self.now = 1000.0
        self._octets = 0.0

    def judge(self, seconds: float, estimate: int | None, heard: Heard) -> None:
        told: Any = heard
        for _ in range(round(2 * seconds)):
            self.now += 0.5
            self._octets += self.needed / 2
            self.thinning.judge(self.now, round(self._octets), estimate, told)


SLOW = Heard(loss=0.1, round_trip=1.2, waits=1.0)
LOSSY = Heard(loss=0.6)
RADIO = Heard(loss=0.15)
THIN = 500_000  # bit/s


def thin(**heard: float) -> Rig:
    rig = Rig()
    rig.judge(3, 2_000_000, Heard())
    rig.judge(2, THIN, Heard(loss=0.6, round_trip=1.2, waits=1.0))
    assert rig.thinning.active
    assert rig.thinning.rate == pytest.approx(0.85 * THIN / 8)
    rig.judge(4, THIN, Heard(**heard))
    return rig


# ── evidence ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("heard", [SLOW, LOSSY])
def test_a_low_estimate_and_packets_that_are_late_or_lost_are_evidence(heard: Heard) -> None:
    rig = Rig()
    rig.judge(3, 2_000_000, Heard())
    rig.judge(2, THIN, heard)
    assert rig.thinning.active


@pytest.mark.parametrize(
    ("estimate", "heard"),
    [
        (THIN, Heard()),  # after a calm picture receivers believe in little
        (THIN, RADIO),
        (None, SLOW),
        (4_000_000, SLOW),  # somebody else's packets are in the way
        (4_000_000, LOSSY),
    ],
)
def test_neither_is_evidence_alone(estimate: int | None, heard: Heard) -> None:
    rig = Rig()
    rig.judge(60, estimate, heard)
    assert not rig.thinning.active
    assert rig.thinning.rate == inf


def test_a_calm_picture_fits_whatever_its_path_loses() -> None:
    rig = Rig(needed=10_000)
    rig.judge(60, 120_000, LOSSY)
    assert not rig.thinning.active


def test_a_moment_is_no_evidence() -> None:
    rig = Rig()
    rig.judge(3, 2_000_000, Heard())
    for _ in range(20):
        rig.judge(1, THIN, SLOW)
        rig.judge(0.5, THIN, Heard())
    assert not rig.thinning.active


# ── pace ─────────────────────────────────────────────────────────────────────────────────────


def test_a_path_on_which_nothing_waits_is_given_more_until_something_does() -> None:
    rig = thin()
    rates = [rig.thinning.rate]
    for _ in range(4):
        rig.judge(1, THIN, Heard())
        rates.append(rig.thinning.rate)
    assert rates == sorted(set(rates))
    rig.judge(2, THIN, Heard(waits=0.15))
    assert rig.thinning.rate == rates[-1]
    rig.judge(1, THIN, Heard(waits=0.6))
    assert rig.thinning.rate < 0.8 * rates[-1]


def test_a_pace_is_left_alone_until_its_effect_is_reported() -> None:
    rig = thin()
    rig.judge(1, THIN, Heard(waits=0.6))
    rate = rig.thinning.rate
    rig.judge(3, THIN, Heard(waits=0.6))
    assert rig.thinning.rate == rate
    rig.judge(2, THIN, Heard(waits=0.6))
    assert rig.thinning.rate < rate


def test_where_something_waited_before_the_pace_grows_slowly() -> None:
    rig = thin()
    rig.judge(3, THIN, Heard())
    quick = rig.thinning.rate
    rig.judge(1, THIN, Heard())
    quick = rig.thinning.rate / quick
    rig.judge(1, THIN, Heard(waits=0.6))
    rig.judge(4, THIN, Heard())
    slow = rig.thinning.rate
    rig.judge(1, THIN, Heard())
    assert 1 < rig.thinning.rate / slow < quick


def test_a_radio_that_loses_many_is_not_starved() -> None:
    rig = thin()
    rig.judge(120, THIN, Heard(loss=0.4))
    assert rig.thinning.rate == pytest.approx(THIN / 8 / 2)
    rig.judge(120, 0, Heard(loss=0.4))
    assert rig.thinning.rate >= 4000


# ── end ──────────────────────────────────────────────────────────────────────────────────────


def test_a_path_that_recovers_has_everything_again_though_its_receiver_believes_in_less() -> None:
    rig = thin()
    rig.judge(25, THIN, Heard())
    assert not rig.thinning.active
    assert rig.thinning.rate == inf


def test_a_path_that_stays_thin_never_has_everything() -> None:
    """It takes 60 kB/s; what is more waits on it, or has left after a while."""
    rig = thin()
    waits = 0.0
    for _ in range(600):
        waits = min(1.0, max(0.0, waits + 0.5 * (rig.thinning.rate / 60_000 - 1)))
        rig.judge(0.5, THIN, Heard(loss=0.1, waits=waits))
        assert 35_000 < rig.thinning.rate < 80_000


def test_a_picture_that_calms_down_is_sent_whole() -> None:
    rig = thin()
    rig.needed = 20_000
    rig.judge(4, THIN, Heard(waits=0.15))
    assert not rig.thinning.active


# ── a path that refuses packets ──────────────────────────────────────────────────────────────


def test_a_path_that_refuses_packets_sets_the_pace_itself() -> None:
    rig = thin()
    rig.thinning.press(rig.now)
    assert rig.thinning.active
    rig.judge(9, 64_000, Heard(loss=0.6, round_trip=2.5, waits=2.0))
    assert rig.thinning.active
    assert rig.thinning.rate == inf
    rig.judge(2, 4_000_000, Heard())
    assert not rig.thinning.active


def test_what_is_needed_is_known_by_seconds_and_not_by_pictures() -> None:
    rig = Rig()
    assert thinning._WINDOW_SECONDS >= 2
    rig.judge(1.5, 1, LOSSY)
    assert not rig.thinning.active
