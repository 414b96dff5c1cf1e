"""EvoStream's command line: its ``key=value`` words as flags of ``publisher start``."""

from collections.abc import Sequence

from rendezvous.program.errors import UsageError

_FLAGS = {
    "roomid": "--room",
    "source": "--source",
    "sourceuser": "--source-user",
    "label": "--label",
    "state": "--state",
    "config": "--config",
    "loglevel": "--log-level",
    "whip": "--whip",
    "audio": "--audio",
    "icepolicy": "--ice-policy",
    "interfaces": "--interfaces",
    "transcode": "--transcode",
    "udpports": "--udp-ports",
}
_SWITCHES = {"ersoverssl": "tls", "keepalive": "keep-alive", "public": "public"}
_YES = ("1", "true", "yes")
_NO = ("0", "false", "no")


def flags_of(words: Sequence[str]) -> list[str]:
    """``ersIP=… roomID=… source=…``, keys in any case, as flags. Raises UsageError."""
    if any(word in ("-h", "--help") for word in words):
        return ["--help"]
    given = dict(_word(word) for word in words)
    flags = []
    host, port = given.pop("ersip", ""), given.pop("ersport", "")
    if "," in host:
        cure = "publisher start --server takes several, with commas between them."
        raise UsageError("usage", "ersIP is one address.", cure)
    if host or port:
        host = f"[{host}]" if ":" in host else host or "127.0.0.1"
        flags += ["--server", f"{host}:{port}" if port else host]
    for key, value in given.items():
        flags += _flag(key, value)
    return flags


def _word(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals:
        raise UsageError(
            "usage", f"{_shown(word)} is not key=value.", "See publisher startWebRTC --help"
        )
    return key.lower(), value


def _flag(key: str, value: str) -> list[str]:
    if key in _FLAGS:
        return [f"{_FLAGS[key]}={value}"]
    if key in _SWITCHES and value.lower() in _YES + _NO:
        return [f"--{'' if value.lower() in _YES else 'no-'}{_SWITCHES[key]}"]
    if key in _SWITCHES:
        raise UsageError("usage", f"{key} is neither 0 nor 1.", "Say 1 or 0.")
    if key == "token":
        return [f"--token={value}"]  # refused with its own sentence
    known = "ersIP, ersPort, roomID, source, ersOverSsl, keepAlive"
    raise UsageError("usage", f"{_shown(key)} is no parameter.", f"Known: {known}, public, label.")


def _shown(word: str) -> str:
    """What was typed, unless it might be an address with a password in it."""
    return f"'{word}'" if word.isalnum() else "A word"
