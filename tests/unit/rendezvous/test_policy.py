"""Which rooms a server's owner allows, and that a refusal does not tell why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendezvous.rooms.policy import AllowList, RoomPolicy
from rendezvous.wire import identity
from rendezvous.wire.identity import RoomId
from tests.support.peers import Key

KEY, OTHER = Key(), Key()
KEY_ROOM = identity.key_room(KEY.spki)
OPEN = RoomId("FrontDoor")


def policy(text: str, *, open_rooms: bool = True) -> RoomPolicy:
    return RoomPolicy(open_rooms, AllowList.parse(text))


def test_without_a_list_every_room_is_permitted() -> None:
    assert RoomPolicy().permits(OPEN, KEY.owner)
    assert RoomPolicy().permits(KEY_ROOM, KEY.owner)


def test_without_open_rooms_only_key_rooms_are_left() -> None:
    assert not RoomPolicy(open_rooms=False).permits(OPEN, KEY.owner)
    assert RoomPolicy(open_rooms=False).permits(KEY_ROOM, KEY.owner)


def test_a_listed_room_is_for_everybody_and_a_listed_key_for_every_room() -> None:
    listed = policy(f"# cameras of the house\nFrontDoor  # at the street\n\nkey:{KEY.owner}\n")
    assert listed.permits(OPEN, OTHER.owner)
    assert listed.permits(RoomId("Yard"), KEY.owner)
    assert listed.permits(KEY_ROOM, KEY.owner)
    assert not listed.permits(RoomId("Yard"), OTHER.owner)
    assert not listed.permits(RoomId("frontdoor"), OTHER.owner)


def test_a_key_room_can_be_listed_by_its_id() -> None:
    assert policy(KEY_ROOM).permits(KEY_ROOM, KEY.owner)
    assert not policy(KEY_ROOM).permits(identity.key_room(OTHER.spki), OTHER.owner)


def test_a_listed_name_stays_refused_when_open_rooms_are_off() -> None:
    assert not policy("FrontDoor", open_rooms=False).permits(OPEN, KEY.owner)


def test_an_empty_list_allows_nobody() -> None:
    assert not policy("# nobody yet\n").permits(OPEN, KEY.owner)


def test_a_rotated_key_is_listed_by_its_first() -> None:
    assert policy(f"key:{KEY.owner}").permits(OPEN, KEY.rotated().owner)


@pytest.mark.parametrize("wrong", ["a b", "key:short", "Key:" + "a" * 43, "-door", "ä"])
def test_an_entry_that_means_nothing_is_named_by_its_line(wrong: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        AllowList.parse(f"FrontDoor\n{wrong}\n")


def test_a_list_does_not_show_its_entries() -> None:
    assert "FrontDoor" not in repr(policy("FrontDoor"))


@given(st.text(max_size=200))
def test_any_text_is_a_list_or_has_a_line_that_is_not(text: str) -> None:
    try:
        parsed = AllowList.parse(text)
    except ValueError:
        return
    assert all(map(identity.is_room_id, parsed.rooms))
