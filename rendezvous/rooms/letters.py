"""What two nodes of one rendezvous say to each other about a room and its viewers.

A room's *home* is the node that holds its camera; a viewer's *edge* is the node that holds its
socket. Each letter names the room and the epoch of the claim that its writer knew, so that its
reader can tell what was overtaken; those about one viewer name its seat: each time an edge hands
the viewer over it has a new one, so that late words of an earlier home are recognised.
"""

from typing import TypeAlias

import msgspec

from rendezvous.wire.identity import ConnectionId, NodeId, Owner, RoomId
from rendezvous.wire.messages import (
    Answer,
    Candidate,
    End,
    Join,
    Offer,
    Resume,
    ServerMessage,
)


class _Letter(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    room: RoomId
    epoch: int


class _SeatLetter(_Letter, frozen=True, kw_only=True):
    connection: ConnectionId
    seat: int


# ── edge to home ─────────────────────────────────────────────────────────────────────────────


class HandedOver(_SeatLetter, frozen=True, tag="handed_over"):
    """A viewer of mine wants to join your room, or to come back to its session there."""

    nonce: str
    """What its join proves."""
    message: Join | Resume


class Said(_SeatLetter, frozen=True, tag="said"):
    """It said this."""

    message: Offer | Answer | Candidate | End | Resume


class Left(_SeatLetter, frozen=True, tag="left"):
    """It is gone, or has another home now."""


# ── home to edge ─────────────────────────────────────────────────────────────────────────────


class Told(_SeatLetter, frozen=True, tag="told"):
    """Tell it this; with ``bound`` as a member of the room, which it is then."""

    message: ServerMessage
    bound: bool = False


class Unseated(_SeatLetter, frozen=True, tag="unseated"):
    """It has no place here any more, or did not get one; I have forgotten it."""


class Closed(_SeatLetter, frozen=True, tag="closed"):
    """Close its connection; I have forgotten it."""


class Dismissed(_SeatLetter, frozen=True, tag="dismissed"):
    """I do not know it, or cannot keep it: find its room anew."""


# ── everybody who wants to know ──────────────────────────────────────────────────────────────


class Moved(_Letter, frozen=True, tag="moved"):
    """The room's camera is connected to this node."""

    node: NodeId
    owner: Owner | None = None
    """Whose it is."""


class Overtaken(_Letter, frozen=True, tag="overtaken"):
    """I know of a newer claim than yours, which the store has forgotten: its epoch is above."""


ToHome: TypeAlias = HandedOver | Said | Left
ToEdge: TypeAlias = Told | Unseated | Closed | Dismissed
SeatLetter: TypeAlias = ToHome | ToEdge
Letter: TypeAlias = SeatLetter | Moved | Overtaken
