"""Who may enter: what a claim and a join must show. Pure checks; nothing is changed here."""

import hmac
import secrets

from rendezvous.rooms import signatures
from rendezvous.rooms.chains import Chain
from rendezvous.rooms.entries import Peer
from rendezvous.rooms.sessions import Role
from rendezvous.wire import identity
from rendezvous.wire.identity import Owner
from rendezvous.wire.messages import Claim, ErrorCode, Join

# What a proof is checked against when there is no such room: the work and so the time stay the
# same. Nobody knows a secret that fits it.
_NOBODY = identity.encode(secrets.token_bytes(32))

# One sentence for a room that is taken and for one that this server's owner does not allow: who
# asks learns neither which names are in use nor which are on the list.
ROOM_UNAVAILABLE = (
    "You cannot have this room here: it is bound to another camera's key, or not one that this "
    "server allows. Choose another name, or ask the server's owner."
)


class RefusalError(Exception):
    """What is asked for is refused; code and sentence go back to the peer."""

    def __init__(self, code: ErrorCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def require_entry(peer: Peer, role: Role, room: str) -> None:
    """Raises RefusalError unless the connection may have this role in this room.

    Asked when it wants to enter and again when the store has answered: it may have become
    something else in between.
    """
    if peer.role not in (None, role) or peer.room not in (None, room):
        raise RefusalError(ErrorCode.NOT_ALLOWED, "One connection has one room and one role.")


def require_room_id(room: str) -> None:
    """Raises RefusalError when the text cannot name a room."""
    if not identity.is_room_id(room):
        raise RefusalError(
            ErrorCode.ROOM_MALFORMED,
            "A room ID has 1 to 64 letters, digits, '_' or '-', the first a letter or a digit.",
        )


def owner_of(claim: Claim, peer: Peer) -> Owner:
    """The owner that this claim was signed for on this connection; raises RefusalError."""
    require_room_id(claim.room)
    _require_origin(claim.origin, peer)
    chain = _chain(claim)
    if identity.is_key_room(claim.room):
        _require_key_room(claim, chain.root)
    signed = identity.claim_text(
        nonce=peer.nonce,
        connection=peer.id,
        origin=claim.origin,
        room=claim.room,
        label=claim.label,
        verifier=claim.verifier,
        root=chain.rotated,
    )
    try:
        chain.verify(signature=_bytes(claim.signature), text=signed)
    except signatures.SignatureError as error:
        raise RefusalError(ErrorCode.CLAIM_INVALID, str(error)) from None
    return chain.owner


def _require_key_room(claim: Claim, root: bytes) -> None:
    if claim.room != identity.key_room(root, claim.label):
        raise RefusalError(
            ErrorCode.CLAIM_INVALID,
            "This room ID has the form of a key room, but belongs to another key or label.",
        )


def _require_origin(origin: str, peer: Peer) -> None:
    if origin.lower() not in peer.origins:
        raise RefusalError(
            ErrorCode.ORIGIN_UNKNOWN,
            f"The camera dialled {origin}, which this server does not know as itself. Start it "
            f"with --public-origin {origin}, or let the camera dial "
            f"{' or '.join(sorted(peer.origins))}.",
        )


def _chain(claim: Claim) -> Chain:
    try:
        return Chain.of(claim)
    except ValueError:
        raise _unreadable() from None


def _bytes(text: str) -> bytes:
    try:
        return identity.decode(text)
    except ValueError:
        raise _unreadable() from None


def _unreadable() -> RefusalError:
    return RefusalError(ErrorCode.CLAIM_INVALID, "A key or a signature is not base64url.")


def may_join(join: Join, peer: Peer, *, known: bool, verifier: str | None) -> bool:
    """Whether the viewer may enter: in constant time, whether or not there is such a room.

    Who shows a proof was given a secret by a camera. If the room has none, it is another camera
    that has it now: the store has lost its data, or the name had expired.
    """
    proof = identity.join_proof(
        verifier or _NOBODY, nonce=peer.nonce, connection=peer.id, room=join.room
    )
    proven = hmac.compare_digest(proof, join.proof or "")
    public = verifier is None and join.proof is None
    return known and (public or proven)
