"""Who asks for a key frame gets one at once; who keeps asking gets one ever less often."""

from publisher.legs.replays import CALM_SECONDS, FIRST_SECONDS, MOST_SECONDS, Replays


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
