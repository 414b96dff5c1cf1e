"""What a receiver's reports say of a stream: how much was lost, and how long it travelled."""

from math import isclose

from aiortc.rtp import RtcpReceiverInfo

from publisher.rtc.reception import Reception

SECOND = 65536  # of a report's clock


def report(lost: int = 0, highest: int = 0, lsr: int = 0, held: float = 0.0) -> RtcpReceiverInfo:
    return RtcpReceiverInfo(
        ssrc=1,
        fraction_lost=0,
        packets_lost=lost,
        highest_sequence=highest,
        jitter=0,
        lsr=lsr,
        dlsr=round(held * SECOND),
    )


def test_nothing_is_known_before_the_first_answer() -> None:
    reception = Reception()
    reception.heard(report(lsr=77), 10.0)
    assert reception.round_trip is None
    assert (reception.loss, reception.waits, reception.reports) == (0.0, 0.0, 1)


def test_a_round_trip_of_seconds_is_measured_though_further_reports_have_left() -> None:
    reception = Reception()
    for second in range(5):
        reception.sent(second << 32, 100.0 + second)
    reception.heard(report(lsr=1 * SECOND, held=0.25), 104.5)
    assert reception.round_trip
    assert isclose(reception.round_trip, 3.25, abs_tol=1e-3)


def test_what_waits_is_what_the_shortest_way_did_not_take() -> None:
    reception = Reception()
    for second, trip in ((0, 0.2), (1, 1.2), (2, 0.5)):
        reception.sent(second << 32, 100.0 + second)
        reception.heard(report(lsr=second * SECOND), 100.0 + second + trip)
    assert isclose(reception.waits, 0.3, abs_tol=1e-3)


def test_reports_that_nobody_answers_are_forgotten() -> None:
    reception = Reception()
    for second in range(100):
        reception.sent(second << 32, float(second))
    assert len(reception._sent) <= 32


def test_loss_is_that_of_a_second_and_not_of_a_packet() -> None:
    reception = Reception()
    reception.heard(report(lost=5, highest=1000), 10.0)
    reception.heard(report(lost=6, highest=1001), 10.1)
    assert reception.loss == 0.0
    reception.heard(report(lost=30, highest=1100), 11.0)
    assert reception.loss == 0.25
    reception.heard(report(lost=30, highest=1200), 12.0)
    assert reception.loss == 0.0


def test_silence_is_no_loss_and_duplicates_are_no_gain() -> None:
    reception = Reception()
    reception.heard(report(lost=0, highest=1000), 10.0)
    reception.heard(report(lost=50, highest=1100), 11.0)
    reception.heard(report(lost=50, highest=1100), 13.0)
    assert reception.loss == 0.5
    reception.heard(report(lost=40, highest=1200), 14.0)
    assert reception.loss == 0.0
