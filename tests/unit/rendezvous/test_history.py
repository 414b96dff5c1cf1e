"""The checker can fail: each rule finds the violation that it is there for, and nothing else."""

from dataclasses import replace

import pytest

from tests.support.history import (
    RULES,
    Claimed,
    Delivered,
    Granted,
    Owners,
    Record,
    Released,
    Renewed,
    Said,
    check,
)

OWNERS = Owners({"front": "anna", "garden": "ben"}, {"open": "dora"})

CLAIM = Claimed(1.0, "a", "c1", "front", "anna", 10)
AGAIN = Claimed(4.0, "b", "c2", "front", "anna", 11)
OFFER = Delivered(
    at=2.0,
    node="a",
    connection="c1",
    person="front-camera",
    room="front",
    said=Said("vera", "front"),
    session="s1",
    key="anna",
)
ANSWER = Delivered(
    at=3.0,
    node="b",
    connection="v1",
    person="vera",
    room="front",
    said=Said("front-camera", "front", "anna", 10),
    session="s1",
)
LATER = replace(ANSWER, at=5.0, said=replace(ANSWER.said, epoch=11))

GOOD: list[Record] = [
    Granted(0.9, "a", "c1", "front", 10),
    CLAIM,
    Renewed(1.5, "a", "front", 10),
    OFFER,
    ANSWER,
    Released(3.5, "a", "c1", "front", 10),
    AGAIN,
    LATER,
    Claimed(6.0, "a", "c3", "garden", "ben", 10),
    Claimed(7.0, "a", "c4", "open", "mallory", 12),
]


def test_a_history_in_order_breaks_no_rule() -> None:
    """Takeovers, two rooms with one epoch, and an open room included."""
    assert check(GOOD, OWNERS) == []


def test_the_same_claim_answered_twice_is_one_holder() -> None:
    """A client of the store may ask again when it has lost the answer."""
    assert check([CLAIM, CLAIM], OWNERS) == []


def test_a_member_that_comes_back_is_the_same_member() -> None:
    """On another connection, to another node, and the camera with a later claim."""
    back = replace(LATER, connection="v2", node="a")
    heard = replace(OFFER, at=6.0, connection="c2", node="b")
    assert check([*GOOD, back, heard], OWNERS) == []


THEFT = Said("thief", "front", "mallory", 12)

VIOLATIONS: dict[str, tuple[set[str], list[Record]]] = {
    "another room's camera": (
        {"right_room", "right_key"},
        [replace(ANSWER, said=Said("garden-camera", "garden", "ben", 10))],
    ),
    "another room's viewer": (
        {"right_room"},
        [replace(OFFER, said=Said("gustav", "garden"))],
    ),
    "a thief is watched": ({"right_key"}, [replace(ANSWER, said=THEFT)]),
    "somebody else's camera in spite of the secret": (
        {"right_secret"},
        [replace(ANSWER, room="open", said=Said("squatter", "open", "mallory", 12))],
    ),
    "a thief listens": (
        {"right_listener", "two_members"},
        [OFFER, replace(OFFER, person="thief", key="mallory", connection="c9")],
    ),
    "a thief claims": ({"right_claim"}, [Claimed(1.0, "a", "c9", "front", "mallory", 12)]),
    "an old camera after the new one": ({"epochs_grow"}, [LATER, ANSWER]),
    "two holders": ({"one_holder"}, [CLAIM, replace(CLAIM, connection="c2", node="b")]),
    "two holders, and one of them never knew": (
        {"one_holder"},
        [Granted(0.9, "b", "c2", "front", 10), CLAIM],
    ),
    "a ghost": ({"no_ghosts"}, [CLAIM, Renewed(2.0, "b", "front", 10)]),
    "an earlier epoch's ghost": ({"no_ghosts"}, [AGAIN, Renewed(5.0, "b", "front", 10)]),
    "two viewers in one session": (
        {"two_members"},
        [ANSWER, replace(ANSWER, person="viktor", connection="v2")],
    ),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_is_found(name: str) -> None:
    rules, history = VIOLATIONS[name]
    assert {violation.rule for violation in check(history, OWNERS)} == rules


def test_every_rule_has_a_violation() -> None:
    """None is there only for show."""
    assert set().union(*(rules for rules, _ in VIOLATIONS.values())) == RULES.keys()


def test_a_violation_says_who_heard_whom() -> None:
    (violation,) = check([replace(ANSWER, said=THEFT)], OWNERS)
    assert "vera" in violation.sentence
    assert "thief" in violation.sentence
