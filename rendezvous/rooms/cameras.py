"""A camera's conversation: claiming its room, saying what it does, going away."""

import math

from rendezvous.rooms import conversations, takeovers, viewers
from rendezvous.rooms.actions import Happening
from rendezvous.rooms.admission import (
    ROOM_UNAVAILABLE,
    RefusalError,
    may_join,
    owner_of,
    require_entry,
)
from rendezvous.rooms.book import Book
from rendezvous.rooms.effects import Alert, ClaimRoom, Drop, ReleaseRoom
from rendezvous.rooms.entries import Peer, Room
from rendezvous.rooms.facts import RoomClaimed
from rendezvous.rooms.sessions import Event, Role
from rendezvous.wire.identity import Owner, RoomId
from rendezvous.wire.messages import Claim, Claimed, ErrorCode, IcePolicy, Source

CLAIMED_ELSEWHERE = "The same camera claimed this room elsewhere."
NO_RELAYS = (
    "The room is to be relay-only, but this server has no TURN server. Name one with --turn at the "
    "server, or let the camera connect directly with --ice-policy all."
)
OF_ANOTHER = (
    "The store gave it to another key while its camera is connected here. The camera keeps it for "
    "now; the store may have lost its data."
)


def claim(book: Book, peer: Peer, message: Claim) -> None:
    """Asks the store for the room, if the claim is in order."""
    try:
        require_entry(peer, Role.CAMERA, message.room)
        owner = owner_of(message, peer)
        _require_relays(book, message)
    except RefusalError as refusal:
        book.refuse(peer, refusal.code, str(refusal))
        return
    peer.instance = message.instance
    permitted = _permitted(book, RoomId(message.room), owner)
    if permitted and (pause := takeovers.pause(book, peer, RoomId(message.room))):
        book.refuse(peer, ErrorCode.SUPERSEDED, takeovers.IN_TURNS, retry_after=pause)
        book.close(peer)
    else:
        newest = book.newest(RoomId(message.room))
        book.effects.append(ClaimRoom(peer.id, owner, message, newest, permitted))


def _require_relays(book: Book, message: Claim) -> None:
    if message.ice_policy is IcePolicy.RELAY and not book.ice.relays:
        raise RefusalError(ErrorCode.RELAY_UNAVAILABLE, NO_RELAYS)


def _permitted(book: Book, room_id: RoomId, owner: Owner) -> bool:
    # A store that has lost its data would give the room to anybody: the camera here is asked first.
    room = book.rooms.get(room_id)
    return book.permits(room_id, owner) and not (room is not None and room.keeps_out(owner))


def keep_out(book: Book, peer: Peer, room: Room) -> None:
    """The store gave away the room of a camera that is connected here: it keeps its room."""
    book.effects.append(Alert(room.id, OF_ANOTHER))
    book.refuse(peer, ErrorCode.ROOM_UNAVAILABLE, ROOM_UNAVAILABLE)


def claimed(book: Book, peer: Peer, fact: RoomClaimed) -> None:
    """The room is the camera's: an earlier connection goes, waiting viewers join."""
    room_id = RoomId(fact.claim.room)
    _supersede(book, peer, room_id)
    _end_another_s(book, room_id, fact.owner)
    room = book.room(room_id)
    room.camera, room.owner, room.source = peer.id, fact.owner, fact.claim.source
    room.epoch, room.until, room.lapsed = fact.epoch, fact.until, False
    peer.challenged_at = None
    room.verifier, room.ice_policy = fact.claim.verifier, fact.claim.ice_policy
    book.bind(peer, Role.CAMERA, room)
    book.tell(peer.id, room.id, Claimed(room=room.id, epoch=room.epoch, ttl=book.limits.kept))
    _tell_viewers(book, room, fact.claim.source)
    _forget_kept(book, room)
    _await_resumes(book, room)
    admit_waiting(book, room)


def stale(book: Book, fact: RoomClaimed) -> bool:
    """Whether a later claim was answered or heard of before this one: its epoch fences it off."""
    return book.newest(RoomId(fact.claim.room)) > fact.epoch


def _supersede(book: Book, peer: Peer, room_id: RoomId) -> None:
    room = book.rooms.get(room_id)
    if room is not None and room.camera not in (None, peer.id):
        superseded(book, room, by=peer)


def _end_another_s(book: Book, room_id: RoomId, owner: Owner) -> None:
    # The name has changed hands: who watched the camera before hears nothing of this one.
    room = book.rooms.get(room_id)
    if room is not None and room.owner not in (None, owner):
        for session in tuple(room.sessions.values()):
            conversations.happen(book, Happening(session, Event.DEADLINE))


def superseded(book: Book, room: Room, by: Peer | None = None) -> None:
    """Another claim holds the room now: the camera's connection here goes."""
    if room.camera is not None:
        earlier = book.peers[room.camera]
        takeovers.count(book, room, earlier, by)
        book.refuse(earlier, ErrorCode.SUPERSEDED, CLAIMED_ELSEWHERE)
        gone(book, earlier, released=False)
        book.close(earlier)


def _forget_kept(book: Book, room: Room) -> None:
    # What cameras said to absent viewers under earlier claims would come after this one's words.
    for session in room.sessions.values():
        book.effects += [Drop("stale_epoch")] * len(session.kept[Role.VIEWER])
        session.kept[Role.VIEWER].clear()


def _await_resumes(book: Book, room: Room) -> None:
    # A camera that kept its sessions resumes them right after the claim; one that was started
    # anew never will, and its viewers need not sit out the whole time.
    for session in room.sessions.values():
        if session.members[Role.CAMERA] is None and session.deadline is not None:
            session.deadline = min(session.deadline, book.now + book.limits.resume_grace)


def admit_waiting(book: Book, room: Room) -> None:
    """The camera is there: who still may enter does."""
    waiting, room.waiting = room.waiting, {}
    for viewer in (book.peers[connection] for connection in waiting):
        join = viewer.join_to(room.id)
        if join is not None and may_join(join, viewer, known=True, verifier=room.verifier):
            conversations.begin(book, viewer, room.id)
        else:  # it knows a secret that was changed while it waited
            viewers.turn_away(book, viewer)


def source(book: Book, peer: Peer, message: Source) -> None:
    """The camera says what it is doing; its viewers hear it."""
    if peer.role is not Role.CAMERA:
        book.refuse(peer, ErrorCode.NOT_ALLOWED, "Only a camera that holds a room has a source.")
        return
    room = book.room_of(peer)
    room.source = message
    _tell_viewers(book, room, message)


def _tell_viewers(book: Book, room: Room, message: Source) -> None:
    for session in room.sessions.values():
        viewer = session.members[Role.VIEWER]
        if viewer is not None:
            book.tell(viewer, room.id, message)


def gone(book: Book, peer: Peer, *, released: bool = True) -> None:
    """The camera's connection is no more: viewers wait, running sessions are kept."""
    room = book.room_of(peer)
    room.camera, room.until, room.lapsed = None, math.inf, False
    if released:
        book.effects.append(ReleaseRoom(room.id, room.epoch))
    for session in tuple(room.sessions.values()):
        if session.members[Role.CAMERA] == peer.id:
            conversations.happen(book, Happening(session, Event.CAMERA_GONE, peer))
    book.tidy(room.id)
