"""``publisher doctor``: reads the settings of ``publisher start``, examines, and sums up."""

import asyncio
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence

import av.logging

from publisher.doctor.examination import Trust, examine
from publisher.settings import read_settings
from rendezvous.probes import consultation
from rendezvous.probes.consultation import UNWELL, Parser, say
from rendezvous.probes.findings import Report, of_error, well
from rendezvous.program.errors import ProgramError

SECONDS = 10.0  # to watch a camera: longer than the GOP of most

USAGE = """\
usage: publisher doctor [--json] [--seconds N] [settings of publisher start]
       publisher doctor [--json] [--seconds N] key=value …   in EvoStream's words

Tests the road from the camera to its viewers step by step: this machine, the key, the rendezvous
(name, port, TLS, clock, greeting, WebSocket), the room, STUN and TURN over each transport, the
kind of NAT, and the camera (address, password, codecs, key frames, B-frames, sound, losses). Says
what is wrong, what viewers notice of it (→) and what to do (⚒). Needs the settings that the camera
is started with, and changes nothing; a camera that runs keeps running.

  --json        one JSON object at the end, for programs
  --seconds N   watch each camera for so long at the most (10)

The exit status is 0 when all is well, 1 when something is not, 64 or 78 for wrong settings.

examples:
  publisher doctor --server watch.example.org --tls --source rtsp://camera.lan/stream1
  publisher doctor --config /etc/porthole/publisher.toml
  sudo -u porthole publisher doctor --config /etc/porthole/publisher.toml --json
  publisher doctor ersIP=127.0.0.1 roomID=FrontDoor source=rtsp://camera.lan/1
"""


def run(
    words: Sequence[str], environ: Mapping[str, str], write: Callable[[str], None] = say
) -> int:
    """The exit status; ``write`` gets the lines. Raises UsageError, the rest are findings."""
    parser = Parser("publisher doctor")
    parser.add_argument("--seconds", type=float, default=SECONDS)

    def examine_all(report: Report, chosen: Namespace, rest: Sequence[str]) -> int:
        if not chosen.seconds > 0:  # nor is it nan
            parser.error("argument --seconds: it is more than 0")
        return _examine(report, rest, environ, chosen.seconds)

    return consultation.run(words, parser, USAGE, examine_all, write)


def _examine(
    report: Report, words: Sequence[str], environ: Mapping[str, str], seconds: float
) -> int:
    report.begin("Settings")
    try:
        command = "startWebRTC" if _is_evostream(words) else "start"
        settings = read_settings(command, words, environ)
        trust = Trust.of(settings)
    except ProgramError as error:
        report.add(of_error(error, "The camera does not start."))
        return error.exit_status
    report.add(well("settings", "They can be understood, and fit together."))
    # FFmpeg's own messages repeat addresses with their passwords.
    av.logging.set_level(None)
    asyncio.run(examine(settings, trust, report, seconds=seconds))
    return 0 if report.well else UNWELL


def _is_evostream(words: Sequence[str]) -> bool:
    return any("=" in word and not word.startswith("-") for word in words[:1])
