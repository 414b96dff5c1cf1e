"""RTSP's requests and responses as bytes and back (RFC 2326 §4 to §7)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

SESSION_SECONDS: Final = 60  # of a session whose server does not say, §12.37
_MAX_FIELDS: Final = 100


class ProtocolError(ValueError):
    """What came is not RTSP."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; the fields' names are in lower case, and may come more than once."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes = b""

    def field(self, name: str) -> str:
        """The first field of that name; empty when there is none."""
        return next(self.all(name), "")

    def all(self, name: str) -> Iterator[str]:
        """The values of all fields of that name."""
        return (value for key, value in self.fields if key == name)

    @property
    def sequence(self) -> str:
        """Which request it answers."""
        return self.field("cseq")


@dataclass(frozen=True, slots=True)
class Request:
    """What a server asks of us."""

    method: str
    fields: tuple[tuple[str, str], ...]


def format_request(method: str, url: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """A request without a body."""
    lines = [f"{method} {url} RTSP/1.0", *(f"{name}: {value}" for name, value in fields)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def parse_head(head: bytes) -> Response | Request:
    """A message up to its empty line, which may be left out; raises ProtocolError."""
    first, *lines = head.decode("utf-8", "replace").replace("\r\n", "\n").strip("\n").split("\n")
    if len(lines) > _MAX_FIELDS:
        raise ProtocolError("a message has too many fields")
    fields = tuple(_fields(lines))
    words = first.split(None, 2)
    if words and words[0].startswith("RTSP/"):
        return Response(_status(words), fields)
    if len(words) > 2 and words[2].startswith("RTSP/"):  # noqa: PLR2004
        return Request(words[0], fields)
    raise ProtocolError("a message is neither a request nor a response of RTSP")


def _status(words: list[str]) -> int:
    if len(words) < 2 or not (words[1].isascii() and words[1].isdigit()):  # noqa: PLR2004
        raise ProtocolError("a response has no status")
    return int(words[1][:4])


def _fields(lines: list[str]) -> Iterator[tuple[str, str]]:
    name, value = "", ""
    for line in lines:
        if line[:1] in (" ", "\t"):  # a folded field goes on, RFC 2822 §2.2.3
            value += " " + line.strip()
            continue
        if name:
            yield name, value
        name, _, value = (part.strip() for part in line.partition(":"))
        name = name.lower()
    if name:
        yield name, value


def body_length(fields: Iterable[tuple[str, str]], most: int) -> int:
    """How many bytes follow the head; raises ProtocolError."""
    stated = next((value for name, value in fields if name == "content-length"), "0")
    if not (stated.isascii() and stated.isdigit()) or len(stated) > 9 or int(stated) > most:  # noqa: PLR2004
        raise ProtocolError("a message's length cannot be right")
    return int(stated)


def interleaved_channels(transport: str) -> tuple[int, int] | None:
    """The channels of RTP and RTCP in a Transport field; None when it is not inside TCP."""
    for parameter in transport.split(",", maxsplit=1)[0].split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "interleaved":
            first, _, second = value.partition("-")
            if first.isdigit() and (second or "0").isdigit():
                channels = int(first), int(second or int(first) + 1)
                return channels if max(channels) < 256 else None  # noqa: PLR2004
    return None


def session_of(field: str) -> tuple[str, int]:
    """A Session field's identifier and timeout in seconds, 60 when it does not say."""
    identifier, _, rest = field.partition(";")
    for parameter in rest.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "timeout" and value.strip().isdigit():
            return identifier.strip(), max(int(value[:6]), 1)
    return identifier.strip(), SESSION_SECONDS


def rtp_times(info: str) -> dict[str, int]:
    """The timestamp that belongs to the beginning, by stream's URL, of RTP-Info (§12.33)."""
    found = {}
    for part in info.split("url=")[1:]:  # URLs may have commas
        url, *parameters = part.strip(", ").split(";")
        for parameter in parameters:
            name, _, value = parameter.strip(" ,").partition("=")
            if name.lower() == "rtptime" and value.isdigit():
                found[url.strip('" ')] = int(value) & 0xFFFFFFFF
    return found


def format_refusal(request: Request) -> bytes:
    """The answer to what a server asks of us, which is to do nothing."""
    sequence = next((value for name, value in request.fields if name == "cseq"), "0")
    status = "200 OK" if request.method == "OPTIONS" else "501 Not Implemented"
    return f"RTSP/1.0 {status}\r\nCSeq: {sequence}\r\n\r\n".encode("utf-8", "replace")
