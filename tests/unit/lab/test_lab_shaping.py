"""A line gives each packet its time, and what it cannot hold it drops."""

import pytest

from tests.support.lab.shaping import MOST_ON_THE_WAY, Shaper
from tests.support.lab.topology import PERFECT, Line


def test_a_perfect_line_takes_no_time() -> None:
    assert Shaper(PERFECT).admit(1500, 0.0) == 0


def test_packets_leave_one_after_the_other() -> None:
    shaper = Shaper(Line(bits_per_second=8_000, delay=1.0))
    assert [shaper.admit(100, 0.0) for _ in range(3)] == pytest.approx([1.1, 1.2, 1.3])
    assert shaper.admit(100, 10.0) == pytest.approx(1.1)
    assert shaper.most_waiting == pytest.approx(0.2)


def test_a_full_queue_drops_what_comes() -> None:
    shaper = Shaper(Line(bits_per_second=8_000, queue_bytes=250))
    verdicts = [shaper.admit(100, 0.0) for _ in range(4)]
    assert verdicts[2:] == ["queue", "queue"]
    assert shaper.admit(100, 0.1) == pytest.approx(0.2)


def test_losses_are_as_many_as_said_and_the_same_in_every_run() -> None:
    one, other = Shaper(Line(loss=0.1)), Shaper(Line(loss=0.1))
    verdicts = [one.admit(100, 0.0) for _ in range(5_000)]
    assert verdicts == [other.admit(100, 0.0) for _ in range(5_000)]
    assert verdicts.count("loss") / 5_000 == pytest.approx(0.1, abs=0.02)


def test_however_far_the_line_only_so_many_are_on_it() -> None:
    shaper = Shaper(Line(delay=1e9))
    shaper.on_the_way = MOST_ON_THE_WAY
    assert shaper.admit(1, 0.0) == "queue"
