"""One bit rate serves viewers whose paths differ, and none of them spoils it for all."""

from publisher.media.adaptation import BitRate, most_bit_rate

MOST = 2_000_000


def test_more_pixels_need_more_within_bounds() -> None:
    rates = [most_bit_rate(w, h, 30) for w, h in ((160, 90), (640, 360), (1280, 720), (7680, 4320))]
    assert rates == sorted(rates)
    assert rates[0] == 300_000
    assert rates[-1] == 8_000_000


def test_it_begins_with_the_most_and_stays_there_while_nobody_says_anything() -> None:
    rate = BitRate(MOST)
    assert rate.value == MOST
    assert rate.adapt([], 1_500_000, now=100.0) == MOST


def test_it_falls_at_once_below_the_slowest_path() -> None:
    rate = BitRate(MOST)
    value = rate.adapt([5_000_000, 1_000_000], 1_900_000, now=1.0)
    assert 800_000 <= value < 1_000_000


def test_it_rises_in_steps_and_only_when_it_has_been_calm() -> None:
    rate = BitRate(MOST)
    low = rate.adapt([600_000], MOST, now=0.0)
    assert rate.adapt([4_000_000], low, now=1.0) == low
    steps = [rate.adapt([4_000_000], rate.value, now=5.0 * step) for step in range(1, 10)]
    assert steps == sorted(steps)
    assert all(
        later <= 1.26 * earlier for earlier, later in zip([low, *steps], steps, strict=False)
    )
    assert steps[-1] == MOST


def test_an_estimate_that_only_says_how_calm_the_picture_is_changes_nothing() -> None:
    rate = BitRate(MOST)
    assert rate.adapt([700_000], 400_000, now=1.0) == MOST


def test_a_path_that_cannot_carry_the_least_does_not_spoil_the_picture_of_the_others() -> None:
    rate = BitRate(MOST)
    assert rate.adapt([200_000, 9_000_000], MOST, now=1.0) == MOST


def test_a_single_viewer_with_such_a_path_gets_the_least() -> None:
    rate = BitRate(MOST)
    assert rate.adapt([200_000], MOST, now=1.0) == MOST // 4
