"""What the probe makes of the frames that a page has presented."""

from math import isnan, nan

from publisher.sources.pattern import TimeCode
from tests.support.probe import Frame, Pictures, Sync

NOON = 1_790_000_000_000  # ms since the Unix epoch


def frames(*drawn: int | None, apart: int = 40, skipped: int = 0) -> Pictures:
    """Presented ``apart`` ms from each other, first at noon, showing when they were drawn.

    Between two of them so many were presented that nobody looked at.
    """
    return Pictures(
        [
            Frame(
                media_time=n * apart / 1000,
                presented=n * (1 + skipped),
                wall=NOON + n * apart,
                width=320,
                height=180,
                code=None if at is None else TimeCode(n, NOON + at),
                flash=False,
            )
            for n, at in enumerate(drawn)
        ]
    )


def test_the_rate_counts_also_those_that_nobody_looked_at() -> None:
    assert frames(*range(5), apart=40).rate == 25
    assert frames(*range(5), apart=80, skipped=1).rate == 25
    assert frames(0).rate == 0


def test_the_delay_is_the_median_of_those_that_could_be_read() -> None:
    assert frames(-70, None, -30, -10).delay == 110


def test_what_could_not_be_measured_is_no_number() -> None:
    for unknown in (frames(None).delay, Sync(80.0, []).offset, Sync(nan, [90.0]).offset):
        assert isnan(unknown)


def test_pictures_move_when_each_was_drawn_after_the_one_before() -> None:
    assert frames(0, 33, None, 66).moves
    assert frames(0, 33, 33).moves  # two at once, one after the other
    assert not frames(0, 66, 33).moves
    assert not frames(0, None).moves
