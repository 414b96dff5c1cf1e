"""The vocabulary: every message, its fields and their bounds, and the codes of every refusal.

A message is one JSON object whose ``type`` names it. Unknown fields are ignored, so that either
side may be newer. The same messages travel over TCP and WebSocket; PROTOCOL.md has a section for
each conversation.
"""

from enum import StrEnum
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from rendezvous.wire.identity import LABEL_PATTERN

VERSION = 1

MESSAGE_BYTES = 65_536
SDP_BYTES = 32_768
CANDIDATE_BYTES = 2_048
CANDIDATES_PER_SESSION = 64  # from each side
SENTENCE_LENGTH = 500  # characters
ROTATIONS = 8  # of one camera key; each costs the server a signature's check with every claim
MESSAGES_PER_SECOND = 20
MESSAGE_BURST = 60

Room: TypeAlias = Annotated[str, Meta(max_length=256)]  # its form is checked with a sentence
Label: TypeAlias = Annotated[str, Meta(pattern=LABEL_PATTERN)]
Id128: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{22}\Z")]  # 128 random bits
Digest: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}\Z")]  # 256 bits
Sdp: TypeAlias = Annotated[str, Meta(max_length=SDP_BYTES)]
Origin: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9.:_\[\]-]{1,255}\Z")]  # host:port
Code: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}\Z")]
Sentence: TypeAlias = Annotated[str, Meta(max_length=SENTENCE_LENGTH)]
Word: TypeAlias = Annotated[str, Meta(max_length=64)]
PublicKey: TypeAlias = Annotated[str, Meta(max_length=512)]
"""DER SubjectPublicKeyInfo of a P-256 key, base64url."""
Signature: TypeAlias = Annotated[str, Meta(max_length=128)]
"""ECDSA with SHA-256, ``r ‖ s``, base64url."""


class ErrorCode(StrEnum):
    """Stable names of what the rendezvous refuses; PROTOCOL.md says what to do about each."""

    MALFORMED = "malformed"
    UNKNOWN_TYPE = "unknown_type"
    MESSAGE_TOO_LARGE = "message_too_large"
    HELLO_FIRST = "hello_first"
    HELLO_TIMEOUT = "hello_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    TOO_SLOW = "too_slow"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    VERSION_UNSUPPORTED = "version_unsupported"
    NOT_ALLOWED = "not_allowed"
    CLAIM_INVALID = "claim_invalid"
    ORIGIN_UNKNOWN = "origin_unknown"
    ROOM_MALFORMED = "room_malformed"
    ROOM_UNAVAILABLE = "room_unavailable"
    TOO_MANY_ROOMS = "too_many_rooms"
    ROOM_UNKNOWN = "room_unknown"
    ROOM_FULL = "room_full"
    SUPERSEDED = "superseded"
    CLAIM_EXPIRED = "claim_expired"
    SESSION_UNKNOWN = "session_unknown"
    TOO_MANY_CANDIDATES = "too_many_candidates"
    STORE_UNAVAILABLE = "store_unavailable"
    RELAY_UNAVAILABLE = "relay_unavailable"
    TLS_REQUIRED = "tls_required"
    TLS_NOT_CONFIGURED = "tls_not_configured"
    SHUTTING_DOWN = "shutting_down"
    INTERNAL = "internal"


class EndReason(StrEnum):
    """Why a session ended. A gateway may bring reasons of its own; these are the native ones."""

    LEFT = "left"  # the viewer went
    REPLACED = "replaced"  # the viewer joined anew on the same connection
    CAMERA_STOPPED = "camera_stopped"  # the publisher was stopped on purpose
    CAMERA_GONE = "camera_gone"  # the camera did not come back in time
    OFFER_TIMEOUT = "offer_timeout"
    ANSWER_TIMEOUT = "answer_timeout"
    CONNECT_TIMEOUT = "connect_timeout"  # no ICE pair carried DTLS in time
    MEDIA_LOST = "media_lost"  # no sign of life on the media path
    OFFER_REFUSED = "offer_refused"  # the camera could not use the offer; the message says why
    CAMERA_FULL = "camera_full"
    FORMAT_CHANGED = "format_changed"  # the camera's streams are others now: join again


class SourceState(StrEnum):
    """What the camera behind the publisher is doing."""

    STARTING = "starting"
    LIVE = "live"
    LOST = "lost"  # it was there, or should be; the publisher keeps trying
    UNPLAYABLE = "unplayable"  # it is there, but browsers cannot show what it sends


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """Base of all messages."""


class Delivery(StrEnum):
    """How a camera's stream can reach a viewer. Readers pass over names that they do not know."""

    RTP = "rtp"  # H.264 with Opus or G.711 over WebRTC's media path
    FMP4 = "fmp4"  # the camera's own picture and sound over a data channel, for MSE


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of what messages are made of."""


# ── parts ────────────────────────────────────────────────────────────────────────────────────


class IceServer(Part, frozen=True):
    """A STUN or TURN server in the shape of W3C's RTCIceServer; the credential is a secret."""

    urls: Annotated[tuple[Annotated[str, Meta(max_length=512)], ...], Meta(max_length=8)]
    username: Annotated[str, Meta(max_length=512)] | None = None
    credential: Annotated[str, Meta(max_length=512)] | None = None

    def __repr__(self) -> str:
        return f"IceServer(urls={self.urls!r})"


class IcePolicy(StrEnum):
    """W3C's RTCIceTransportPolicy: which candidates a peer may use."""

    ALL = "all"
    RELAY = "relay"

    def stricter(self, other: "IcePolicy") -> "IcePolicy":
        """What holds if one side wants this and another that."""
        return IcePolicy.RELAY if IcePolicy.RELAY in (self, other) else IcePolicy.ALL


class IceCandidate(Part, frozen=True, rename="camel"):
    """A candidate in the shape of W3C's RTCIceCandidateInit; trickled as in RFC 8840."""

    candidate: Annotated[str, Meta(max_length=CANDIDATE_BYTES)]
    sdp_mid: Word | None = None
    sdp_m_line_index: Annotated[int, Meta(ge=0, le=255)] | None = msgspec.field(
        default=None, name="sdpMLineIndex"
    )
    username_fragment: Annotated[str, Meta(max_length=256)] | None = None


class Track(Part, frozen=True):
    """One stream of the camera, in words a person can read."""

    kind: Annotated[str, Meta(pattern=r"^(audio|video)\Z")]
    codec: Word  # "H.264", "Opus", …: as it leaves the publisher
    detail: Annotated[str, Meta(max_length=200)] = ""  # "High 4.0, 1280×720, 30 frames/s"


class Predecessor(Part, frozen=True):
    """A key that a camera had before, and its signature over the next: ``rotation_text``."""

    key: PublicKey
    signature: Signature


class Limits(Part, frozen=True):
    """What the server holds a connection to."""

    message_bytes: int = MESSAGE_BYTES
    sdp_bytes: int = SDP_BYTES
    candidate_bytes: int = CANDIDATE_BYTES
    candidates: int = CANDIDATES_PER_SESSION
    messages_per_second: int = MESSAGES_PER_SECOND
    burst: int = MESSAGE_BURST


# ── everybody ────────────────────────────────────────────────────────────────────────────────


class Hello(Message, frozen=True, tag="hello"):
    """The first message of every connection."""

    version: int
    agent: Word = ""
    features: Annotated[tuple[Word, ...], Meta(max_length=16)] = ()


class Welcome(Message, frozen=True, tag="welcome", omit_defaults=False):
    """The server's reply to hello: what a claim or a join on this connection must sign."""

    version: int
    server: Word
    connection: Id128
    nonce: Id128
    features: tuple[Word, ...] = ()
    limits: Limits = Limits()


class Ping(Message, frozen=True, tag="ping"):
    """Either side may ask whether the other is there."""


class Pong(Message, frozen=True, tag="pong"):
    """The answer to a ping."""


class Error(Message, frozen=True, tag="error"):
    """A refusal. The connection stays unless PROTOCOL.md says that the code closes it."""

    code: Code
    message: Sentence
    session: Id128 | None = None
    retry_after: Annotated[float, Meta(ge=0)] | None = None  # seconds


class Goaway(Message, frozen=True, tag="goaway"):
    """The server is about to close this connection; come back after so many seconds."""

    after: Annotated[float, Meta(ge=0)]


# ── cameras ──────────────────────────────────────────────────────────────────────────────────


class Source(Message, frozen=True, tag="source"):
    """What the camera is doing: said by the publisher with its claim and whenever it changes.

    The rendezvous hands it to every viewer of the room.
    """

    state: SourceState
    code: Code | None = None
    message: Sentence = ""  # what is wrong and what to do, for people
    tracks: Annotated[tuple[Track, ...], Meta(max_length=8)] = ()
    legs: Annotated[tuple[Word, ...], Meta(max_length=8)] = (Delivery.RTP,)  # preferred first


class Claim(Message, frozen=True, tag="claim"):
    """A camera proves its key and takes its room; see ``identity.claim_text``."""

    room: Room
    key: PublicKey
    origin: Origin  # the host:port that the camera dialled
    signature: Signature
    label: Label = ""
    verifier: Digest | None = None  # None: a public room, anybody may join
    chain: Annotated[tuple[Predecessor, ...], Meta(max_length=ROTATIONS)] = ()  # the first first
    source: Source = Source(state=SourceState.STARTING)
    ice_policy: IcePolicy = IcePolicy.ALL  # relay: no address of either side reaches the other
    instance: Id128 | None = None  # of the publisher's process: it is no rival of itself


class Claimed(Message, frozen=True, tag="claimed", omit_defaults=False):
    """The room is the camera's; the epoch only ever grows."""

    room: Room
    epoch: int
    ttl: float  # seconds the room stays held after the connection is lost


class Challenge(Message, frozen=True, tag="challenge"):
    """The camera is to claim once more, on this connection, signed with this nonce.

    A server that lost touch with its store cannot know any more whose the room is.
    """

    nonce: Id128


class Session(Message, frozen=True, tag="session"):
    """A viewer opens a session: its offer, and what the camera needs to answer it."""

    session: Id128
    secret: Id128
    sdp: Sdp
    trickle: bool = True
    ice_servers: tuple[IceServer, ...] = ()
    ice_policy: IcePolicy = IcePolicy.ALL

    def __repr__(self) -> str:
        return f"Session(session={self.session!r})"


# ── viewers ──────────────────────────────────────────────────────────────────────────────────


class Join(Message, frozen=True, tag="join"):
    """A viewer asks for the room; see ``identity.join_proof``. Public rooms need no proof."""

    room: Room
    proof: Digest | None = None


class Waiting(Message, frozen=True, tag="waiting"):
    """The viewer is admitted, the camera is away; joined follows when it comes."""

    room: Room


class Joined(Message, frozen=True, tag="joined"):
    """The viewer may offer. Its ICE servers and policy come before its local description."""

    room: Room
    session: Id128
    secret: Id128
    ice_servers: tuple[IceServer, ...] = ()
    ice_policy: IcePolicy = IcePolicy.ALL
    source: Source = Source(state=SourceState.STARTING)

    def __repr__(self) -> str:
        return f"Joined(room={self.room!r}, session={self.session!r})"


# ── sessions ─────────────────────────────────────────────────────────────────────────────────


class Offer(Message, frozen=True, tag="offer"):
    """The offerer's description: the first one opens the session, later ones renegotiate."""

    session: Id128
    sdp: Sdp
    trickle: bool = True  # False: the peer cannot take candidates later (RFC 8838 §3)


class Answer(Message, frozen=True, tag="answer"):
    """The answerer's description."""

    session: Id128
    sdp: Sdp


class Candidate(Message, frozen=True, tag="candidate"):
    """One ICE candidate of the sender, or None: there are no more (RFC 8838 §13)."""

    session: Id128
    candidate: IceCandidate | None


class End(Message, frozen=True, tag="end"):
    """Either member, or the server, ends the session."""

    session: Id128
    reason: Code
    message: Sentence = ""


class Presence(Message, frozen=True, tag="presence"):
    """Whether the other member's signalling is connected. Media may be well without it."""

    session: Id128
    present: bool


class Resume(Message, frozen=True, tag="resume"):
    """A member comes back to a running session, also to a server that was restarted."""

    session: Id128
    secret: Id128
    room: Room

    def __repr__(self) -> str:
        return f"Resume(session={self.session!r})"


class Resumed(Message, frozen=True, tag="resumed"):
    """Both members of the session are known again."""

    session: Id128


ClientMessage: TypeAlias = (
    Hello | Ping | Pong | Claim | Source | Join | Offer | Answer | Candidate | End | Resume
)
ServerMessage: TypeAlias = (
    Welcome
    | Ping
    | Pong
    | Error
    | Goaway
    | Claimed
    | Challenge
    | Session
    | Source
    | Waiting
    | Joined
    | Offer
    | Answer
    | Candidate
    | End
    | Presence
    | Resumed
)
