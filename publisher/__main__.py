"""The command ``publisher``, where all parts are put together."""

import asyncio
import os
import ssl
import sys
from collections.abc import Sequence

import av.logging

from publisher import identity_command
from publisher.identity import Keyring
from publisher.media.outlets import Transcode
from publisher.rtc import private
from publisher.settings import EXAMPLES, CameraSettings, Settings, read_settings
from publisher.signalling.claiming import Room
from publisher.sources.address import Address
from publisher.sources.catalog import source_for
from publisher.supervisor import daemon
from publisher.supervisor.camera import Camera
from publisher.supervisor.room import Place
from publisher.whip.endpoint import Endpoint
from rendezvous.program import logs
from rendezvous.program.errors import ProgramError, SettingsError, UsageError

USAGE = f"""\
usage: publisher start [flags]             stream a camera; publisher start --help
       publisher startWebRTC key=value …   the same in EvoStream's words
       publisher identity [action]         show, back up or rotate the camera's key
       publisher doctor [settings]         find what keeps viewers from seeing the camera

{EXAMPLES}"""


def main() -> None:
    """Runs the command line of this process; leaves with a sysexits(3) status."""
    try:
        command, words = _command(sys.argv[1:])
        if command == "help":
            print(USAGE)  # noqa: T201
            return
        if command == "identity":
            identity_command.run(words, os.environ)
            return
        if command == "doctor":
            sys.exit(_examine(words))
        _serve(read_settings(command, words, os.environ))
    except ProgramError as error:
        print(f"publisher: [{error.code}] {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)


def _command(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    if not words or words[0] in ("help", "-h", "--help"):
        return "help", ()
    known = {name.lower(): name for name in ("start", "startWebRTC", "identity", "doctor")}
    if words[0].lower() not in known:
        raise UsageError("usage", f"There is no command '{words[0]}'.", "See publisher help")
    return known[words[0].lower()], words[1:]


def _examine(words: Sequence[str]) -> int:
    # A camera box does not load what only the doctor needs.
    from publisher.doctor import command  # noqa: PLC0415

    return command.run(words, os.environ)


def _serve(settings: Settings) -> None:
    logs.setup(settings.log_level)
    # FFmpeg's own messages repeat addresses with their passwords; its errors reach us as values.
    av.logging.set_level(None)
    cameras = [_camera(settings, camera) for camera in settings.cameras]
    private.install(settings.network, settings.server_ca if settings.tls else "")
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(daemon.run(cameras))


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  # wheels are missing on some boards; asyncio serves there
    except ImportError:
        return None
    return uvloop.Loop


def _camera(settings: Settings, camera: CameraSettings) -> Camera:
    address = Address.parse(camera.source, camera.source_user, camera.source_password)
    return Camera(
        source_for(address, rtsp_transport=camera.rtsp_transport),
        _place(settings, camera) if settings.has_room(camera) else None,
        _endpoint(camera) if camera.whip else None,
        most_viewers=camera.viewers,
        keep_alive=settings.keep_alive,
        on_claimed=_show_link,
        transcode=Transcode(camera.transcode),
        aac_first=camera.audio == "aac",
    )


def _place(settings: Settings, camera: CameraSettings) -> Place:
    keyring = Keyring(settings.state_directory)
    key = keyring.camera_key()
    name = camera.room or key.room(camera.label)
    room = Room(
        name,
        "" if camera.room else camera.label,
        None if camera.public else keyring.viewer_secret(name),
        camera.ice_policy,
    )
    return Place(settings.addresses, _tls(settings), key, room)


def _endpoint(camera: CameraSettings) -> Endpoint:
    return Endpoint(camera.whip, camera.whip_token, ssl.create_default_context())


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.tls:
        return None
    try:
        return ssl.create_default_context(cafile=settings.server_ca or None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            "server_ca_unreadable", f"Cannot use {settings.server_ca}: {error.strerror or error}."
        ) from None


def _show_link(link: str) -> None:
    print(f"Watch: {link}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
