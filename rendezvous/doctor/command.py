"""``rendezvous doctor``: reads the server's settings, examines the installation, and sums up."""

import asyncio
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence

from rendezvous import settings
from rendezvous.doctor.examination import examine
from rendezvous.probes import consultation
from rendezvous.probes.consultation import UNWELL, Parser, say
from rendezvous.probes.findings import Report, of_error, well
from rendezvous.program.errors import ProgramError

USAGE = """\
usage: rendezvous doctor [--json] [settings of rendezvous]

Tests an installation from the server's own machine: settings, store (file or Redis, and its
clock), certificate (names, time, chain, key), ports, each --public-origin along the road that
cameras and viewers take (name, port, TLS, greeting, claim, WebSocket), and each STUN and TURN
server over its transport (does it answer, take our secret, relay, and refuse private addresses).
Says what is wrong, what viewers notice of it (→) and what to do (⚒). Needs the settings and the
user that the server is started with, changes nothing, and may run while the server does.

  --json        one JSON object at the end, for programs

The exit status is 0 when all is well, 1 when something is not, 64 or 78 for wrong settings.

examples:
  rendezvous doctor --public-origin watch.example.org:4545 \\
      --tls-cert /etc/porthole/fullchain.pem --tls-key /etc/porthole/privkey.pem
  sudo -u porthole rendezvous doctor --config /etc/porthole/rendezvous.toml
  rendezvous doctor --config /etc/porthole/rendezvous.toml --json
"""


def run(
    words: Sequence[str], environ: Mapping[str, str], write: Callable[[str], None] = say
) -> int:
    """The exit status; ``write`` gets the lines. Raises UsageError, the rest are findings."""

    def examine_all(report: Report, _chosen: Namespace, rest: Sequence[str]) -> int:
        return _examine(report, rest, environ)

    return consultation.run(words, Parser("rendezvous doctor"), USAGE, examine_all, write)


def _examine(report: Report, words: Sequence[str], environ: Mapping[str, str]) -> int:
    report.begin("Settings")
    try:
        loaded = settings.load(words, environ)
        settings.room_policy(loaded)
    except ProgramError as error:
        report.add(of_error(error, "The server does not start."))
        return error.exit_status
    report.add(well("settings", "They can be understood, and fit together."))
    asyncio.run(examine(loaded, report))
    return 0 if report.well else UNWELL
