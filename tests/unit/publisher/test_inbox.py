"""A thread that is too slow gets the newest pictures, and those that it can decode."""

import threading

from publisher.media.inbox import Inbox
from publisher.media.units import AccessUnit
from tests.support.waiting import PATIENCE


def unit(number: int, *, key: bool = False) -> AccessUnit:
    return AccessUnit(b"", number, number, key)


def taken(inbox: Inbox) -> list[int]:
    units = (inbox.get() for _ in range(len(inbox)))
    return [unit.pts for unit in units if unit]


def test_of_pictures_that_stand_alone_only_the_newest_waits() -> None:
    inbox = Inbox(1)
    for number in range(5):
        inbox.put(unit(number, key=True))
    assert taken(inbox) == [4]
    assert inbox.dropped == 4


def test_pictures_that_refer_to_others_wait_in_order_and_go_up_to_the_next_key_frame() -> None:
    inbox = Inbox(3)
    inbox.put(unit(0))  # nothing to refer to
    for number in range(1, 10):
        inbox.put(unit(number, key=number in (1, 7)))
    assert taken(inbox) == [7, 8, 9]
    assert inbox.dropped == 7


def test_a_thread_that_knows_what_came_before_needs_no_key_frame() -> None:
    inbox = Inbox(3, begun=True)
    inbox.put(unit(5))
    assert taken(inbox) == [5]


def test_closing_ends_the_wait() -> None:
    inbox = Inbox(1)
    got: list[AccessUnit | None] = []
    thread = threading.Thread(target=lambda: got.append(inbox.get()))
    thread.start()
    inbox.close()
    thread.join(PATIENCE)
    assert got == [None]
