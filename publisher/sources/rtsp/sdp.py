"""A camera's description of its streams (SDP, RFC 8866, as RTSP uses it: RFC 2326 §C)."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin

MAX_MEDIA: Final = 16
_STATIC: Final = {0: ("pcmu", 8000, 1), 8: ("pcma", 8000, 1)}  # RFC 3551 §6


@dataclass(frozen=True, slots=True)
class Media:
    """One stream; ``encoding`` in lower case, the format's parameters with names in lower case."""

    kind: str
    payload_type: int
    encoding: str
    clock_rate: int  # Hz
    channels: int
    control: str
    profile: str = "RTP/AVP"
    parameters: dict[str, str] = field(default_factory=dict)
    frame_rate: float = 0.0  # 0: it does not say
    sent: bool = True  # by the camera; not what it would like to hear


@dataclass(frozen=True, slots=True)
class Description:
    """All streams, in the camera's order, and where the whole session is controlled."""

    control: str
    media: tuple[Media, ...]


def parse(text: str) -> Description:
    """Broken lines are left out: cameras write many."""
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n") if line[1:2] == "="]
    begins = [index for index, line in enumerate(lines) if line.startswith("m=")]
    session = lines[: begins[0]] if begins else lines
    ends = [*begins[1:], len(lines)]
    sections = [lines[begin:end] for begin, end in zip(begins, ends, strict=False)]
    found = (_media(section) for section in sections[:MAX_MEDIA])
    return Description(_attribute(session, "control"), tuple(one for one in found if one))


def control_url(base: str, control: str) -> str:
    """Where a stream is set up (RFC 2326 §C.1.1); ``base`` is the Content-Base or its substitute.

    FFmpeg and others append to a base without a slash at its end instead of replacing its last
    part, and cameras are tested with them.
    """
    if control in ("", "*"):
        return base
    if "://" in control:
        return control
    if control.startswith("/"):
        return urljoin(_as_http(base), control).replace("http", "rtsp", 1)
    return f"{base.rstrip('/')}/{control}"


def _as_http(url: str) -> str:
    return "http" + url.removeprefix("rtsp")


def _media(lines: list[str]) -> Media | None:
    words = lines[0][2:].split()
    if len(words) < 4 or not words[3].isdigit():  # noqa: PLR2004
        return None
    payload_type = int(words[3][:4])
    encoding, rate, channels = _mapping(lines, payload_type)
    return Media(
        words[0].lower(),
        payload_type,
        encoding,
        rate,
        channels,
        _attribute(lines, "control"),
        profile=words[2].upper(),
        parameters=_parameters(_numbered(lines, "fmtp", payload_type)),
        frame_rate=_number(_attribute(lines, "framerate")),
        sent=not {"a=sendonly", "a=inactive"}.intersection(lines),
    )


def _mapping(lines: list[str], payload_type: int) -> tuple[str, int, int]:
    encoding, _, rest = _numbered(lines, "rtpmap", payload_type).partition("/")
    rate, _, channels = rest.partition("/")
    if not rate.strip().isdigit():
        return _STATIC.get(payload_type, ("", 0, 0))
    channels = channels.strip()
    return encoding.strip().lower(), int(rate), int(channels) if channels.isdigit() else 1


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}


def _numbered(lines: list[str], name: str, payload_type: int) -> str:
    """The value of the attribute that is about this payload type."""
    for line in lines:
        if line.startswith(f"a={name}:"):
            number, _, value = line.partition(":")[2].strip().partition(" ")
            if number == str(payload_type):
                return value.strip()
    return ""


def _attribute(lines: list[str], name: str) -> str:
    values = (line.partition(":")[2] for line in lines if line.startswith(f"a={name}:"))
    return next(values, "").strip()


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if 0 < number < 1000 else 0.0  # noqa: PLR2004
