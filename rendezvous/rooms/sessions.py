"""A session of one viewer with the camera: states, events, and one table of what follows what.

The table is complete; PROTOCOL.md §6 shows it to people, and a test walks every pair. A step says
what to do in a word; ``conversations`` does it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import NamedTuple

from rendezvous.wire.identity import ConnectionId, RoomId, SessionId
from rendezvous.wire.messages import IcePolicy, ServerMessage


class Role(Enum):
    """What a connection is in its room."""

    CAMERA = auto()
    VIEWER = auto()

    @property
    def other(self) -> "Role":
        """The member at the other end."""
        return Role.VIEWER if self is Role.CAMERA else Role.CAMERA


class State(Enum):
    """How far a session has come."""

    JOINED = auto()  # the viewer may offer
    OFFERED = auto()  # the camera is to answer
    ANSWERED = auto()  # media runs, or is about to


class Event(Enum):
    """What can happen to a session."""

    VIEWER_OFFER = auto()
    VIEWER_ANSWER = auto()
    VIEWER_CANDIDATE = auto()
    VIEWER_END = auto()
    VIEWER_GONE = auto()
    VIEWER_BACK = auto()
    CAMERA_OFFER = auto()
    CAMERA_ANSWER = auto()
    CAMERA_CANDIDATE = auto()
    CAMERA_END = auto()
    CAMERA_GONE = auto()
    CAMERA_BACK = auto()
    DEADLINE = auto()


class Do(Enum):
    """What is done about an event."""

    REFUSE = auto()  # not_allowed to the sender
    UNKNOWN = auto()  # session_unknown to the sender
    OPEN = auto()  # the offer goes to the camera as ``session``, with what was kept for it
    KEEP = auto()  # for the camera, until there is an offer
    PASS = auto()  # to the other member
    PASS_END = auto()  # to the other member; the session is over
    LEAVE = auto()  # the camera, if it knows the session, is told ``left``
    WAIT = auto()  # the viewer waits for the camera to come back
    ABSENT = auto()  # presence{false} to the other member
    RETURN = auto()  # ``resumed``, presence{true} to the other, and what was kept
    OFFER_TIMEOUT = auto()
    ANSWER_TIMEOUT = auto()
    CAMERA_LOST = auto()  # the camera did not come back: camera_gone to the viewer


class Step(NamedTuple):
    """What follows: an action, and the next state or None: the session is over."""

    do: Do
    state: State | None


_J, _O, _A = State.JOINED, State.OFFERED, State.ANSWERED
_X = None  # the session is over

# fmt: off
_BY_EVENT: dict[Event, tuple[tuple[Do, State | None], ...]] = {
    # while                  joined                  offered                  answered
    Event.VIEWER_OFFER:     ((Do.OPEN, _O),          (Do.REFUSE, _O),         (Do.PASS, _A)),
    Event.VIEWER_ANSWER:    ((Do.REFUSE, _J),        (Do.REFUSE, _O),         (Do.REFUSE, _A)),
    Event.VIEWER_CANDIDATE: ((Do.KEEP, _J),          (Do.PASS, _O),           (Do.PASS, _A)),
    Event.VIEWER_END:       ((Do.PASS_END, _X),      (Do.PASS_END, _X),       (Do.PASS_END, _X)),
    Event.VIEWER_GONE:      ((Do.LEAVE, _X),         (Do.LEAVE, _X),          (Do.ABSENT, _A)),
    Event.VIEWER_BACK:      ((Do.UNKNOWN, _J),       (Do.UNKNOWN, _O),        (Do.RETURN, _A)),
    Event.CAMERA_OFFER:     ((Do.REFUSE, _J),        (Do.REFUSE, _O),         (Do.REFUSE, _A)),
    Event.CAMERA_ANSWER:    ((Do.REFUSE, _J),        (Do.PASS, _A),           (Do.PASS, _A)),
    Event.CAMERA_CANDIDATE: ((Do.REFUSE, _J),        (Do.PASS, _O),           (Do.PASS, _A)),
    Event.CAMERA_END:       ((Do.PASS_END, _X),      (Do.PASS_END, _X),       (Do.PASS_END, _X)),
    Event.CAMERA_GONE:      ((Do.WAIT, _X),          (Do.WAIT, _X),           (Do.ABSENT, _A)),
    Event.CAMERA_BACK:      ((Do.UNKNOWN, _J),       (Do.UNKNOWN, _O),        (Do.RETURN, _A)),
    Event.DEADLINE:         ((Do.OFFER_TIMEOUT, _X), (Do.ANSWER_TIMEOUT, _X), (Do.CAMERA_LOST, _X)),
}
# fmt: on

TABLE: Mapping[tuple[State, Event], Step] = MappingProxyType(
    {
        (state, event): Step(*step)
        for event, steps in _BY_EVENT.items()
        for state, step in zip(State, steps, strict=True)
    }
)


@dataclass(slots=True)
class Session:
    """One viewer's conversation. A member without connection is absent, its side is None."""

    id: SessionId
    secret: str
    room: RoomId
    members: dict[Role, ConnectionId | None]
    policy: IcePolicy
    """Its room's when it began: under ``relay`` neither member learns the other's addresses."""
    state: State = State.JOINED
    deadline: float | None = None
    candidates: dict[Role, int] = field(default_factory=lambda: dict.fromkeys(Role, 0))
    kept: dict[Role, list[ServerMessage]] = field(
        default_factory=lambda: {role: [] for role in Role}
    )
    """Candidates for a member that cannot have them yet: as bounded as their number is."""

    def role_of(self, connection: ConnectionId) -> Role | None:
        """Which member this connection is; None if it is of another session."""
        return next((role for role, id_ in self.members.items() if id_ == connection), None)
