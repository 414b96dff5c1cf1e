"""What a person can set, and the two command lines that set it.

``publisher start`` takes flags; ``publisher startWebRTC`` takes EvoStream's ``key=value`` words,
in any case, which are translated to the same flags.
"""

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from publisher.evostream import flags_of
from publisher.media.outlets import Transcode
from publisher.rtc.ice.hosts import Network
from publisher.signalling.connection import ServerAddress
from rendezvous.program.errors import SettingsError
from rendezvous.program.settings import Secret, load, option
from rendezvous.wire.identity import LABEL_PATTERN, is_key_room, is_room_id
from rendezvous.wire.messages import IcePolicy

DEFAULT_SERVER = "127.0.0.1"
DEFAULT_PORT = 4545
PREFIX = "PUBLISHER"
AUDIO = ("auto", "aac")

EXAMPLES = """\
examples:
  publisher start --server watch.example.org --tls --source rtsp://camera.lan/stream1
  publisher start --server a.example.org,b.example.org --tls --source test:
  publisher start --server 127.0.0.1 --room FrontDoor --source test:
  publisher startWebRTC ersIP=127.0.0.1 ersPort=4545 roomID=FrontDoor source=rtsp://camera.lan/1
  PUBLISHER_SOURCE_PASSWORD=… publisher start --source rtsp://camera.lan/1 --source-user admin
  PUBLISHER_WHIP_TOKEN=… publisher start --whip https://sfu.example.org/whip --source test:
  publisher start --config /etc/porthole/publisher.toml

sources:
  rtsp://host/path, rtsps://…        an IP camera (H.264 or H.265; AAC, Opus or G.711)
  http://host/path, https://…        a camera that sends Motion JPEG
  clip.mp4, clip.mkv, clip.ts        a file, for ever
  v4l2:/dev/video0?size=1280x720&audio=hw:1   a device; format=mjpeg if it has no H.264
  test:                              a moving picture with time code and tone

Every setting is a flag, an environment variable (PUBLISHER_SOURCE=…) and a TOML key. Several
cameras are [[camera]] tables in the file, with room, label, source and so on in each.

H.264 passes untouched. Motion JPEG and raw video are encoded once for all viewers, and only while
somebody watches; the terminal says what that costs. H.265 and B-frames play in browsers that can,
or are encoded with --transcode always.

With --whip the same untouched stream goes to an SFU (RFC 9725), and the camera has a room as well
only if --server, --room or --label is said.
"""


class CameraSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One camera and its room."""

    source: Annotated[str, option("the camera, file or device; see below", metavar="URL")] = ""
    source_user: Annotated[str, option("user name at the camera", metavar="NAME")] = ""
    source_password: Annotated[Secret, option("password at the camera", on_command_line=False)] = (
        Secret()
    )
    rtsp_transport: Annotated[
        str, option("tcp (default) or udp for an RTSP camera's media", metavar="NAME")
    ] = "tcp"
    room: Annotated[
        str, option("a name of your choice; without it the room ID comes from the key")
    ] = ""
    label: Annotated[str, option("tells apart the cameras of one key when they have no names")] = ""
    public: Annotated[bool, option("let anybody watch who knows the room ID")] = False
    viewers: Annotated[int, option("how many may watch at once (10)", metavar="N")] = 10
    ice_policy: Annotated[
        IcePolicy,
        option(
            "relay: only through TURN, so that camera and viewers do not learn each other's "
            "addresses (all)",
            metavar="POLICY",
        ),
    ] = IcePolicy.ALL
    audio: Annotated[
        str,
        option("aac: play the camera's own AAC, a quarter second later (auto)", metavar="NAME"),
    ] = "auto"
    transcode: Annotated[
        str,
        option(
            "encode to H.264 while somebody watches: auto (what no browser plays), always (also "
            "H.265 and B-frames), never",
            metavar="WHEN",
        ),
    ] = "auto"
    # A secret: many servers want their key in the path or in the query.
    whip: Annotated[Secret, option("send the stream to this WHIP endpoint", metavar="URL")] = (
        Secret()
    )
    whip_token: Annotated[Secret, option("Bearer token there", on_command_line=False)] = Secret()


class Settings(CameraSettings, frozen=True, kw_only=True):
    """The daemon."""

    server: Annotated[
        str,
        option(
            "the rendezvous, port 4545 unless said (127.0.0.1; with --whip: none); several "
            "nodes of one service with commas between them",
            metavar="HOST[:PORT],…",
        ),
    ] = ""
    tls: Annotated[bool, option("speak TLS to the rendezvous")] = False
    server_ca: Annotated[
        str,
        option(
            "trust this certificate authority for the rendezvous and its TURN servers",
            metavar="FILE",
        ),
    ] = ""
    udp_ports: Annotated[
        str, option("only these UDP ports for media (any that are free)", metavar="FIRST-LAST")
    ] = ""
    interfaces: Annotated[
        str,
        option(
            "only these network interfaces for media, and none after a !: eth*,!docker* (all)",
            metavar="PATTERN,…",
        ),
    ] = ""
    keep_alive: Annotated[bool, option("reconnect to the rendezvous for ever (default)")] = True
    state: Annotated[str, option("where key and viewer secrets are kept", metavar="DIRECTORY")] = ""
    log_level: Annotated[str, option("debug, info, warning or error", metavar="LEVEL")] = "info"
    token: Annotated[Secret | None, option("refused: not enforced by this version")] = None
    camera: tuple[CameraSettings, ...] = ()

    @property
    def cameras(self) -> tuple[CameraSettings, ...]:
        """All cameras of this daemon; what a table leaves out is as said outside of it."""
        if not self.camera:
            return (self,)
        common = {name: getattr(self, name) for name in CameraSettings.__struct_fields__}
        plain = msgspec.structs.asdict(CameraSettings())
        return tuple(
            msgspec.structs.replace(
                camera, **{k: v for k, v in common.items() if getattr(camera, k) == plain[k]}
            )
            for camera in self.camera
        )

    def has_room(self, camera: CameraSettings) -> bool:
        """Whether browsers can watch the camera here; one that goes to an SFU need not have one."""
        return not camera.whip or bool(self.server or camera.room or camera.label)

    @property
    def addresses(self) -> tuple[ServerAddress, ...]:
        """The rendezvous to dial: one of them, and when it is gone another."""
        hosts = (self.server or DEFAULT_SERVER).split(",")
        return tuple(ServerAddress(*split_host(host.strip()), self.tls) for host in hosts)

    @property
    def network(self) -> Network:
        """What of this machine's network media may use. Raises SettingsError."""
        try:
            return Network.parse(self.udp_ports, self.interfaces)
        except ValueError:
            raise SettingsError(
                "udp_ports_malformed",
                f"'{self.udp_ports}' is not a range of UDP ports.",
                "Write 40000-40100; each viewer takes one for each address of the camera.",
            ) from None

    @property
    def state_directory(self) -> Path:
        """--state, systemd's StateDirectory=, or the user's own place for such things."""
        chosen = self.state or os.environ.get("STATE_DIRECTORY", "")
        if chosen:
            return Path(chosen).expanduser()
        base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        return Path(base).expanduser() / "porthole"


def read_settings(command: str, words: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """The settings of ``start`` or ``startWebRTC``. Raises UsageError or SettingsError."""
    argv = flags_of(words) if command == "startWebRTC" else list(words)
    parser = argparse.ArgumentParser(
        prog=f"publisher {command}",
        description="Stream a camera to browsers, peer to peer.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    settings = load(Settings, prefix=PREFIX, argv=argv, environ=environ, parser=parser)
    _check(settings)
    return settings


def split_host(text: str) -> tuple[str, int]:
    """``host``, ``host:port`` or ``[v6]:port``. Raises SettingsError."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:/\[\]\s]+))(?::(\d{1,5}))?", text)
    port = int(match[3] or DEFAULT_PORT) if match else 0
    if not match or not 0 < port < 65536:  # noqa: PLR2004
        raise SettingsError(
            "server_malformed", f"'{text}' is not HOST or HOST:PORT.", "Write 192.0.2.7:4545"
        )
    return match[1] or match[2], port


def _check(settings: Settings) -> None:
    if settings.token is not None:
        raise SettingsError(
            "token_refused",
            "This version does not check tokens, so it refuses one rather than ignore it.",
            "Leave it out: the camera's key and the viewer secret in the link protect the room.",
        )
    _ = settings.addresses, settings.network  # which raise when they are none
    for camera in settings.cameras:
        _check_camera(camera)
    if any(c.whip_token for c in settings.cameras) and not any(c.whip for c in settings.cameras):
        raise SettingsError("whip_missing", "There is a WHIP token but no URL.", "Say --whip URL.")
    _check_distinct(settings)


def _check_distinct(settings: Settings) -> None:
    with_room = filter(settings.has_room, settings.cameras)
    rooms = [camera.room or f"label {camera.label}" for camera in with_room]
    if len(set(rooms)) < len(rooms):
        raise SettingsError(
            "room_twice",
            "Two cameras would share one room.",
            "Give each a room, or a label, of its own.",
        )
    streams = [(camera.whip, camera.whip_token) for camera in settings.cameras if camera.whip]
    if len(set(streams)) < len(streams):
        raise SettingsError(
            "whip_twice",
            "Two cameras would publish at one WHIP endpoint.",
            "Give each a URL, or a token, of its own.",
        )


def _check_camera(camera: CameraSettings) -> None:
    if camera.room and (not is_room_id(camera.room) or is_key_room(camera.room)):
        raise SettingsError(
            "room_malformed",
            f"'{camera.room}' cannot name a room.",
            "Use 1 to 64 letters, digits, _ or -, beginning with a letter or a digit, "
            "and not the form of a key room (32 of a-z and 2-7).",
        )
    if not re.fullmatch(LABEL_PATTERN, camera.label):
        raise SettingsError(
            "label_malformed",
            f"'{camera.label}' cannot be a label.",
            "Use up to 32 letters, digits, _ or -",
        )
    if camera.rtsp_transport not in ("tcp", "udp"):
        raise SettingsError(
            "setting_invalid", "rtsp_transport is neither tcp nor udp.", "Leave it out for tcp."
        )
    if camera.audio not in AUDIO:
        raise SettingsError("setting_invalid", "audio is neither auto nor aac.", "Leave it out.")
    if camera.transcode not in list(Transcode):
        raise SettingsError(
            "setting_invalid", "transcode is neither auto, always nor never.", "Leave it out."
        )
    _check_whip(camera)


def _check_whip(camera: CameraSettings) -> None:
    if not re.fullmatch(r"[!-~]*", camera.whip_token):
        raise SettingsError("whip_token_malformed", "The WHIP token cannot stand in a header.")
    if camera.whip and not _is_web_address(camera.whip):
        raise SettingsError(
            "whip_malformed",
            "--whip is no address of a WHIP endpoint.",
            "Write https://host/path; the token belongs into PUBLISHER_WHIP_TOKEN.",
        )


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    plain = re.fullmatch(r"[!-~]+", text) and "@" not in parts.netloc and not parts.fragment
    return bool(plain and parts.scheme in ("http", "https") and parts.hostname and port != 0)
