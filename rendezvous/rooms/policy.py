"""Which rooms may be claimed at this server, and by whom: its owner's choice."""

import re
from dataclasses import dataclass

from rendezvous.wire.identity import Owner, RoomId, is_key_room, is_room_id

_OWNER = re.compile(r"key:(?P<owner>[A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class AllowList:
    """Rooms that anybody may be the first to claim, and owners that may claim any room."""

    rooms: frozenset[RoomId] = frozenset()
    owners: frozenset[Owner] = frozenset()

    @classmethod
    def parse(cls, text: str) -> "AllowList":
        """One entry a line: a room ID, or ``key:`` and a thumbprint; ``#`` begins a comment.

        Raises ValueError, which names the line.
        """
        lines = [line.partition("#")[0].strip() for line in text.splitlines()]
        for number, line in enumerate(lines, start=1):
            if line and not _OWNER.fullmatch(line) and not is_room_id(line):
                raise ValueError(f"line {number} is no room ID and no key:THUMBPRINT")
        owners = [match["owner"] for line in lines if (match := _OWNER.fullmatch(line))]
        rooms = filter(is_room_id, lines)
        return cls(frozenset(map(RoomId, rooms)), frozenset(map(Owner, owners)))

    def __repr__(self) -> str:
        return f"AllowList({len(self.rooms)} rooms, {len(self.owners)} owners)"


@dataclass(frozen=True, slots=True)
class RoomPolicy:
    """``allowed`` None: everybody may have a room."""

    open_rooms: bool = True
    allowed: AllowList | None = None

    def permits(self, room: RoomId, owner: Owner) -> bool:
        """Whether this owner may claim this room here, if it is free."""
        if not self.open_rooms and not is_key_room(room):
            return False
        allowed = self.allowed
        return allowed is None or room in allowed.rooms or owner in allowed.owners
