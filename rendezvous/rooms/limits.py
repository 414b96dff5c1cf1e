"""How long and how many, in one place; PROTOCOL.md §9 is the same list in prose."""

from dataclasses import dataclass

from rendezvous.wire.messages import MESSAGE_BURST, MESSAGES_PER_SECOND


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and counts that the core holds peers to. Tests make them short."""

    hello: float = 5.0
    unadmitted: float = 10.0  # nobody holds a socket for longer without a room
    rejoin: float = 30.0  # a viewer that gave up its place has seen why, and may ask again
    ping: float = 5.0
    idle: float = 15.0  # two pings may be lost
    offer: float = 30.0
    answer: float = 15.0
    waiting: float = 120.0
    kept: float = 120.0  # running sessions whose camera's signalling is gone
    resume_hold: float = 30.0  # the other member's back-off is over by then
    resume_grace: float = 10.0  # a camera that came back resumes at once or has forgotten
    viewers_per_room: int = 10
    room_full_retry: float = 5.0
    store_retry: float = 2.0  # and up to half as much again, so that not all come at once
    challenge: float = 10.0  # for a camera to claim again when it is asked to
    challenges: int = 500  # cameras asked at once, each time that the store proves to be there
    takeovers: int = 3  # in a row, before a live camera is kept from taking a room back at once
    hold: float = 10.0  # then for so long, doubled each time
    longest_hold: float = 120.0
    takeover_memory: float = 600.0  # takeovers further apart are not in a row
    messages_per_second: int = MESSAGES_PER_SECOND
    burst: int = MESSAGE_BURST
