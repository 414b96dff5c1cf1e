"""What happened, as those involved saw it, and the rules that no history may break.

In Jepsen's manner: a run only records; afterwards ``check`` reads the record and finds what must
not be in it. The witnesses are cameras and viewers, who write their name, key and epoch into what
they say; nothing that the servers believe is trusted.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar


@dataclass(frozen=True, slots=True)
class Claimed:
    """A camera was told that the room is its own."""

    at: float
    node: str
    connection: str
    room: str
    key: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Granted:
    """A store gave the room to a camera, which may never have heard of it."""

    at: float
    node: str
    connection: str
    room: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Renewed:
    """A store said that the lease of this epoch goes on."""

    at: float
    node: str
    room: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Released:
    """A camera was sent away, or left: from here on it is not the room's."""

    at: float
    node: str
    connection: str
    room: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Said:
    """Who has spoken, in the speaker's own words."""

    person: str
    """A viewer, or a camera: what stays the same when it comes back on another connection."""
    room: str
    key: str | None = None
    """A camera's; None: a viewer has spoken."""
    epoch: int = 0
    """A camera's claim; 0: a viewer has spoken, or a camera that did not know it yet."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Somebody heard something."""

    at: float
    node: str
    connection: str
    person: str
    room: str
    """The one that the listener is in."""
    said: Said
    session: str | None = None
    key: str | None = None
    """A listening camera's; None: a viewer has heard it."""


Record: TypeAlias = Claimed | Granted | Renewed | Released | Delivered


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that was broken, and by what."""

    rule: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Owners:
    """Who may speak in which room, as the maker of the run knows.

    Rooms that are not in ``keys`` are open to whom the store gives them: after it was split or
    lost, that may be another key. Who knows a secret still hears only the camera that made it.
    """

    keys: dict[str, str]
    secrets: dict[str, str] = field(default_factory=dict)
    """Whose camera made the secret that all viewers of the room have."""


_R = TypeVar("_R")


def _of(history: Iterable[Record], kind: type[_R]) -> Iterator[_R]:
    return (record for record in history if isinstance(record, kind))


def _right_room(history: list[Record], _owners: Owners) -> Iterator[str]:
    """What is said in a room is heard in that room alone."""
    for heard in _of(history, Delivered):
        if heard.said.room != heard.room:
            yield f"{heard.person} in {heard.room} heard {heard.said}"


def _right_key(history: list[Record], owners: Owners) -> Iterator[str]:
    """A viewer hears only the camera whose key the room belongs to."""
    for heard in _of(history, Delivered):
        owner = owners.keys.get(heard.room)
        if owner is not None and heard.said.key not in (None, owner):
            yield f"{heard.person} in {heard.room} of {owner} heard {heard.said}"


def _right_secret(history: list[Record], owners: Owners) -> Iterator[str]:
    """A viewer that knows a secret hears only the camera that made it."""
    for heard in _of(history, Delivered):
        maker = owners.secrets.get(heard.room)
        if maker is not None and heard.key is None and heard.said.key not in (None, maker):
            yield f"{heard.person} with {maker}'s secret heard {heard.said}"


def _right_listener(history: list[Record], owners: Owners) -> Iterator[str]:
    """What viewers say in a room is heard by nobody but the camera of its key."""
    for heard in _of(history, Delivered):
        owner = owners.keys.get(heard.room)
        if owner is not None and heard.key not in (None, owner):
            yield f"{heard.person} with key {heard.key} heard {heard.said}, who is {owner}'s viewer"


def _right_claim(history: list[Record], owners: Owners) -> Iterator[str]:
    """A room is given to its owner's key alone."""
    for claim in _of(history, Claimed):
        if owners.keys.get(claim.room, claim.key) != claim.key:
            yield f"{claim.room} of {owners.keys[claim.room]} was given to {claim.key}"


def _epochs_grow(history: list[Record], _owners: Owners) -> Iterator[str]:
    """Nobody hears an earlier claim of a room after a later one."""
    newest: dict[tuple[str, str], int] = {}
    for heard in _of(history, Delivered):
        if heard.said.epoch:
            place = heard.connection, heard.room
            if heard.said.epoch < newest.get(place, 0):
                yield f"{heard.person} heard {heard.said} after epoch {newest[place]}"
            newest[place] = max(newest.get(place, 0), heard.said.epoch)


def _one_holder(history: list[Record], _owners: Owners) -> Iterator[str]:
    """An epoch of a room is one camera's."""
    holders: dict[tuple[str, int], str] = {}
    for claim in history:
        if isinstance(claim, Claimed | Granted):
            first = holders.setdefault((claim.room, claim.epoch), claim.connection)
            if first != claim.connection:
                yield f"epoch {claim.epoch} of {claim.room} was given to two: {first}, and {claim}"


def _no_ghosts(history: list[Record], _owners: Owners) -> Iterator[str]:
    """A node renews what was given to it: nobody keeps alive what it never held."""
    given: set[tuple[str, str, int]] = set()
    for record in history:
        if isinstance(record, Claimed | Granted):
            given.add((record.node, record.room, record.epoch))
        elif isinstance(record, Renewed) and not given >= {
            (record.node, record.room, record.epoch)
        }:
            yield f"{record.node} renewed epoch {record.epoch} of {record.room}, not its own"


def _two_members(history: list[Record], _owners: Owners) -> Iterator[str]:
    """A session is heard by one viewer and by cameras of one key."""
    members: dict[str, dict[bool, str]] = defaultdict(dict)
    for heard in _of(history, Delivered):
        if heard.session is None:
            continue
        member = heard.person if heard.key is None else heard.key
        first = members[heard.session].setdefault(heard.key is None, member)
        if first != member:
            yield f"{heard.person} heard session {heard.session}, which is {first}'s"


RULES: dict[str, Callable[[list[Record], Owners], Iterator[str]]] = {
    "right_room": _right_room,
    "right_key": _right_key,
    "right_secret": _right_secret,
    "right_listener": _right_listener,
    "right_claim": _right_claim,
    "epochs_grow": _epochs_grow,
    "one_holder": _one_holder,
    "no_ghosts": _no_ghosts,
    "two_members": _two_members,
}


def check(history: list[Record], owners: Owners) -> list[Violation]:
    """Everything in the history that must not be there."""
    return [
        Violation(name, sentence)
        for name, rule in RULES.items()
        for sentence in rule(history, owners)
    ]
