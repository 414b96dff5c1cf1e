"""Where rooms' cameras are: here, at another node, or nobody knows; who moves when that changes."""

from collections.abc import Iterator

from rendezvous.rooms import away, cameras, conversations, far, fencing, leases, resumes
from rendezvous.rooms.book import Book, remember
from rendezvous.rooms.effects import Alert, Drop, Post
from rendezvous.rooms.entries import Peer, Room
from rendezvous.rooms.facts import (
    Home,
    LetterReceived,
    LettersLost,
    LettersMissed,
    NodeLost,
    RoomClaimed,
    RoomFound,
    RoomLookedUp,
)
from rendezvous.rooms.letters import HandedOver, Left, Moved, Overtaken, Said
from rendezvous.rooms.sessions import Role
from rendezvous.wire.identity import NodeId, RoomId
from rendezvous.wire.messages import Resume


def received(book: Book, fact: LetterReceived) -> None:
    """Another node wrote."""
    match letter := fact.letter:
        case Moved():
            learn(book, letter.room, Home(letter.node, letter.epoch, letter.owner))
        case Overtaken():
            leases.overtaken(book, letter)
        case HandedOver() | Said() | Left():
            far.read(book, fact.node, letter)
        case _:
            away.read(book, fact.node, letter)


def found(book: Book, fact: RoomFound) -> None:
    """The store says where a room is that somebody here seeks."""
    room, newest = book.rooms.get(fact.room), book.newest(fact.room)
    kept = room is not None and room.keeps_out(fact.home.owner)
    learn(book, fact.room, fact.home)
    if fact.home.epoch < newest and fact.home.node != book.node and not kept:
        # A failover lost the newer claim, and the clock went back: nobody else would ever notice.
        book.effects.append(Post(fact.home.node, Overtaken(room=fact.room, epoch=newest)))


def claimed(book: Book, peer: Peer, fact: RoomClaimed) -> None:
    """The camera is here: so is everybody who is here for the room."""
    room = book.room(RoomId(fact.claim.room))
    room.epoch = fact.epoch
    served = {viewer.far.node for viewer in book.viewers_of(room) if viewer.far}
    _announce(book, fact, set(fact.interested) - served)
    away.leave(book, peer)
    returning = away.come_home(book, room.id)
    cameras.claimed(book, peer, fact)
    for viewer, resumption in returning:
        book.unseat(viewer)
        resumes.resume(book, viewer, resumption)
    # Their viewers have heard of the claim by now. One that has not is not known here any more.
    _announce(book, fact, served)


def _announce(book: Book, fact: RoomClaimed, nodes: set[NodeId]) -> None:
    if book.node is not None:
        room = RoomId(fact.claim.room)
        home = Home(book.node, fact.epoch, fact.owner)
        book.effects += [Post(node, _moved(room, home)) for node in sorted(nodes - {book.node})]


def elsewhere(book: Book, fact: RoomLookedUp) -> Home | None:
    """The other node that the room's camera is at, unless this one knows better."""
    home = fact.home
    if book.node is None or home is None or home.node == book.node:
        return None
    room = book.rooms.get(RoomId(fact.join.room))
    if room is not None and room.keeps_out(home.owner):
        return None
    return home if fencing.admits(book, RoomId(fact.join.room), home.epoch) else None


def redirect(book: Book, peer: Peer, fact: RoomLookedUp, home: Home) -> None:
    """The viewer's room is at another node."""
    learn(book, RoomId(fact.join.room), home)
    if peer.far is None:
        away.hand_over(book, peer, RoomId(fact.join.room), fact.join, home)
    else:
        book.effects.append(Post(peer.far.node, _moved(RoomId(fact.join.room), home)))
        book.forget(peer)


def learn(book: Book, room_id: RoomId, home: Home) -> None:
    """The camera is at another node: whoever is here for the room goes there."""
    room = book.rooms.get(room_id)
    if home.node == book.node:
        return  # a claim here is answered to the camera that made it
    if room is not None and room.keeps_out(home.owner):
        book.effects.append(Alert(room_id, cameras.OF_ANOTHER))
    elif not fencing.admits(book, room_id, home.epoch):
        book.effects.append(Drop("stale_epoch"))
    else:
        _follow(book, room_id, home)


def _follow(book: Book, room_id: RoomId, home: Home) -> None:
    _hand_over_held(book, room_id, home)
    room = book.rooms.get(room_id)
    if room is None:
        remember(book.epochs, room_id, home.epoch)
    else:
        _move(book, room, home)
        book.tidy(room_id)


def _move(book: Book, room: Room, home: Home) -> None:
    cameras.superseded(book, room)
    room = book.room(room.id)  # it may have been the last one there
    room.epoch = home.epoch
    _send_after(book, room, home)
    _hand_over_local(book, room, home)
    away.move(book, room, home)


def _moved(room: RoomId, home: Home) -> Moved:
    return Moved(room=room, epoch=home.epoch, node=home.node, owner=home.owner)


def _send_after(book: Book, room: Room, home: Home) -> None:
    viewers = [peer for peer in book.viewers_of(room) if peer.far]
    for node in sorted({peer.far.node for peer in viewers if peer.far}):
        book.effects.append(Post(node, _moved(room.id, home)))
    for peer in viewers:
        _take_out(book, room, peer)
        book.stop_waiting(peer)
        book.forget(peer)


def _hand_over_local(book: Book, room: Room, home: Home) -> None:
    for peer in book.viewers_of(room):
        message = _take_out(book, room, peer) or peer.join_to(room.id)
        if message is not None:
            away.hand_over(book, peer, room.id, message, home, seated=True)
    for session in tuple(room.sessions.values()):  # their viewers are away: they resume there
        conversations.forget(book, session)


def _take_out(book: Book, room: Room, peer: Peer) -> Resume | None:
    if peer.session is None:
        return None  # it waits, until it is handed over
    session = room.sessions[peer.session]
    conversations.forget(book, session)
    return Resume(session=session.id, secret=session.secret, room=room.id)


def _hand_over_held(book: Book, room_id: RoomId, home: Home) -> None:
    held = [key for key, members in book.resumes.items() if key[0] == room_id and members]
    for room, session, secret in held:
        entry = book.resumes.get((room, session, secret), {}).get(Role.VIEWER)
        if entry is not None:
            message = Resume(session=session, secret=secret, room=room)
            _move_held(book, book.peers[entry.connection], room, message, home)


def _move_held(book: Book, peer: Peer, room: RoomId, message: Resume, home: Home) -> None:
    if peer.far is None:
        away.hand_over(book, peer, room, message, home)
    else:
        far.dismiss(book, peer)


def sought(book: Book) -> Iterator[RoomId]:
    """Rooms that somebody here waits for, or whose home may change."""
    for room in book.rooms.values():
        if not room.live(book.now):
            yield room.id
    for (room_id, _, _), held in book.resumes.items():
        if Role.VIEWER in held and room_id not in book.rooms:
            yield room_id


# ── nodes ────────────────────────────────────────────────────────────────────────────────────


def begin_anew(book: Book, fact: NodeLost | LettersLost | LettersMissed) -> None:
    """All that we share with that node is forgotten: nobody can know what either side missed.

    Nothing is said to it. If it lives, and lost letters, it does the same: its viewers are handed
    over again, and so are ours.
    """
    for peer in tuple(book.peers.values()):
        if peer.far is not None and peer.far.node == fact.node:
            far.let_go(book, peer)
        elif peer.away is not None and peer.away.node == fact.node:
            away.set_adrift(book, peer)
