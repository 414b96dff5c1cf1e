"""Who asks for a key frame gets one at once; who keeps asking gets one ever less often."""

import pytest

from publisher.legs.replays import CALM_SECONDS, FIRST_SECONDS, MOST_SECONDS, SHARE, UNPAID, Replays


def times(replays: Replays, begin: float, end: float) -> list[float]:
    """When it is due for somebody who asks each 100 ms, in seconds from the beginning."""
    asked = (begin + tick / 10 for tick in range(round(10 * (end - begin))))
    return [round(at - begin, 1) for at in asked if replays.due(at)]


def test_the_pauses_grow_for_who_goes_on_asking() -> None:
    assert times(Replays(), 100.0, 112.0) == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5]
    assert FIRST_SECONDS == 0.5
    assert MOST_SECONDS == 4.0


def test_after_a_calm_it_starts_over() -> None:
    replays = Replays()
    times(replays, 100.0, 103.0)
    assert times(replays, 105.5 + CALM_SECONDS, 114.0)[:2] == [0.0, 0.5]
    assert replays.refused


def test_an_outage_of_seconds_leaves_a_replay_for_its_end() -> None:
    """In a GOP that has lasted for ten seconds and does not end."""
    replays, replayed = Replays(), []
    for tick in range(40):
        replays.earn(1000)
        if replays.due(1000 + tick / 10):
            replays.spend(100_000 + 1000 * tick)
            replayed.append(tick / 10)
    assert replayed == [0.0, 0.5, 1.5, 3.5]


@pytest.mark.parametrize("gop", [2, 10, 30])
def test_who_never_decodes_anything_costs_half_of_the_stream_and_a_few_replays(gop: int) -> None:
    """Asks each 200 ms, of a stream of 1000 bytes each 100 ms."""
    replays, replayed = Replays(), 0
    for tick in range(6000):
        replays.earn(1000)
        if tick % 2 == 0 and replays.due(1000 + tick / 10):
            size = 1000 * (tick % (10 * gop) + 1)
            replays.spend(size)
            replayed += size
    whole = 1000 * 10 * gop
    assert whole < replayed <= SHARE * 1000 * 6000 + (UNPAID + 1) * whole
