"""Viewers that two nodes share: the socket is at one, the place in the room at the other."""

from dataclasses import dataclass

from rendezvous.wire.identity import NodeId, RoomId, SessionId
from rendezvous.wire.messages import (
    Answer,
    End,
    Error,
    Join,
    Joined,
    Resume,
    Resumed,
    ServerMessage,
    Waiting,
)


@dataclass(frozen=True, slots=True)
class Far:
    """At the home: whose viewer this is."""

    node: NodeId
    room: RoomId
    seat: int


@dataclass(slots=True)
class Away:
    """At the edge: where our viewer's place is, and what moves it to another home."""

    room: RoomId
    seat: int
    node: NodeId | None
    """None: its home is lost; it is adrift until another is found."""
    epoch: int
    """Under which it was handed over, or was told something since."""
    seated: bool
    """Whether it has been admitted, here or there."""
    session: SessionId | None = None
    secret: str = ""
    answered: bool = False
    until: float | None = None
    """How long it may be adrift."""

    def opened(self, message: Join | Resume | Joined) -> None:
        """The viewer asks for a session, or has one."""
        self.forget()
        if not isinstance(message, Join):
            self.session, self.secret = SessionId(message.session), message.secret
            self.answered = isinstance(message, Resume)

    def forget(self) -> None:
        """The session is over."""
        self.session, self.secret, self.answered = None, "", False

    def heard(self, message: ServerMessage) -> None:
        """Keeps what the viewer learns of its session: enough to resume it elsewhere."""
        match message:
            case Joined():
                self.opened(message)
            case Waiting():
                self.forget()
            case Answer() | Resumed() if message.session == self.session:
                self.answered = True
            case End() | Error() if message.session == self.session:
                self.ended(message)

    def ended(self, message: End | Error) -> None:
        """An error may be about one message only."""
        if isinstance(message, End) or message.code == "session_unknown":
            self.forget()

    def resumption(self) -> Resume | None:
        """What brings the running session back at another home."""
        if self.session is None or not self.answered:
            return None
        return Resume(session=self.session, secret=self.secret, room=self.room)
