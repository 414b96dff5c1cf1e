"""A camera's address: what the user wrote, what FFmpeg needs, and what may be shown to people."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from publisher.errors import PublisherError

NETWORK_SCHEMES = ("rtsp", "rtsps", "http", "https")
FILE_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".ts")


class AddressError(PublisherError):
    """The source cannot even be tried."""

    exit_status = 64


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed source. The password is in ``secret_url`` only, which must not be logged."""

    scheme: str
    shown: str
    secret_url: str = field(repr=False)
    path: str
    options: dict[str, str]

    @classmethod
    def parse(cls, text: str, user: str = "", password: str = "") -> "Address":
        """From ``rtsp://…``, ``http://…``, ``file:…``, a path, ``v4l2:/dev/video0?…``, ``test:?…``.

        User and password may be given apart from the address. Raises AddressError.
        """
        parts = _split(text)
        if parts.scheme in NETWORK_SCHEMES:
            return _network(parts, user, password)
        if parts.scheme in ("test", "v4l2"):
            options = dict(parse_qsl(parts.query, keep_blank_values=True))
            return cls(parts.scheme, text, text, parts.path, options)
        if parts.scheme == "file":
            return _file(parts)
        raise AddressError(
            "source_malformed",
            f"'{parts.scheme}:' is no kind of source.",
            "Use rtsp(s)://…, http(s)://…, a file (mp4, mkv, ts), v4l2:/dev/video0, or test:",
        )


def _split(text: str) -> SplitResult:
    if not text:
        raise AddressError(
            "source_missing", "No source is given.", "Say source=rtsp://…, or source=test:"
        )
    try:
        parts = urlsplit(text)
    except ValueError:
        raise AddressError("source_malformed", "The source is no address.") from None
    if not parts.scheme or (not parts.netloc and Path(text).exists()):
        return SplitResult("file", "", text, "", "")
    return parts


def _network(parts: SplitResult, user: str, password: str) -> Address:
    _require_authority(parts)
    host = parts.netloc.rpartition("@")[2]
    user = user or unquote(parts.username or "")
    password = password or unquote(parts.password or "")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else ""
    secret = parts._replace(netloc=login + host).geturl()
    # Some cameras want user and password in the path: /user=admin_password=…
    path = "/…" if "=" in parts.path else parts.path
    return Address(parts.scheme, f"{parts.scheme}://{host}{path}", secret, parts.path, {})


def _require_authority(parts: SplitResult) -> None:
    """Nothing of a misunderstood address may be quoted: it may hold the password."""
    try:
        valid = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or "@" in parts.path + parts.query + parts.fragment:
        raise AddressError(
            "source_malformed",
            "The camera's address cannot be understood.",
            "Write rtsp://host/path and give user name and password apart from it (--source-user, "
            "PUBLISHER_SOURCE_PASSWORD) if they have characters like / ? # or @.",
        )


def _file(parts: SplitResult) -> Address:
    path = Path(unquote(parts.netloc + parts.path)).expanduser()
    if path.suffix.lower() not in FILE_SUFFIXES:
        raise AddressError(
            "source_malformed", "The source is no known kind of file.", "Use mp4, mkv or ts."
        )
    return Address("file", str(path), str(path), str(path), {})
