"""``rendezvous doctor``: reads the server's settings, examines the installation, and sums up."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from rendezvous import settings
from rendezvous.doctor.examination import examine
from rendezvous.probes.findings import Report, of_error, well
from rendezvous.probes.rendering import Terminal, as_json
from rendezvous.program.errors import ProgramError, UsageError

UNWELL = 1  # the exit status when somebody has to do something

USAGE = """\
usage: rendezvous doctor [--json] [settings of rendezvous]

Tests an installation from the server's own machine: settings, store (file or Redis, and its
clock), certificate (names, time, chain, key), ports, each --public-origin along the road that
cameras take (name, port, TLS, greeting, claim), and each STUN and TURN server over its transport
(does it answer, take our secret, relay, and refuse private addresses). Says what is wrong, what
viewers notice of it (→) and what to do (⚒). Needs the settings and the user that the server is
started with, changes nothing, and may run while the server does.

  --json        one JSON object at the end, for programs

The exit status is 0 when all is well, 1 when something is not, 64 or 78 for wrong settings.

examples:
  rendezvous doctor --public-origin watch.example.org:4545 \\
      --tls-cert /etc/porthole/fullchain.pem --tls-key /etc/porthole/privkey.pem
  sudo -u porthole rendezvous doctor --config /etc/porthole/rendezvous.toml
  rendezvous doctor --config /etc/porthole/rendezvous.toml --json
"""


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def run(
    words: Sequence[str], environ: Mapping[str, str], write: Callable[[str], None] = _print
) -> int:
    """The exit status; ``write`` gets the lines. Raises UsageError, the rest are findings."""
    if {"-h", "--help"} & set(words) or list(words[:1]) == ["help"]:
        write(USAGE)
        return 0
    chosen, rest = _parser().parse_known_args(list(words))
    terminal = Terminal(write, coloured=write is _print and sys.stdout.isatty())
    report = Report() if chosen.json else terminal.report()
    status = _examine(rest, environ, report)
    if chosen.json:
        write(as_json(report))
    else:
        terminal.close(report)
    return status


def _examine(words: Sequence[str], environ: Mapping[str, str], report: Report) -> int:
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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError("usage", f"{message}.", "See rendezvous doctor --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="rendezvous doctor", add_help=False, allow_abbrev=False)
    parser.add_argument("--json", action="store_true")
    return parser
