"""The frame of both commands: words in, a report out, for people or for programs."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from rendezvous.probes.findings import Report
from rendezvous.probes.rendering import Terminal, as_json
from rendezvous.program.errors import UsageError

UNWELL: Final = 1  # the exit status when somebody has to do something

# What is examined with which options and which other words; gives the exit status.
Examine = Callable[[Report, argparse.Namespace, Sequence[str]], int]


def say(line: str) -> None:
    """To the terminal, at once, whatever characters it knows."""
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "replace").decode(encoding), flush=True)  # noqa: T201


class Parser(argparse.ArgumentParser):
    """Of the doctor's own options; all other words are settings."""

    def __init__(self, program: str) -> None:
        super().__init__(prog=program, add_help=False, allow_abbrev=False)
        self.add_argument("--json", action="store_true")

    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        raise UsageError("usage", f"{message}.", f"See {self.prog} --help")


def run(
    words: Sequence[str],
    parser: Parser,
    usage: str,
    examine: Examine,
    write: Callable[[str], None] = say,
) -> int:
    """The exit status; ``write`` gets the lines. Raises UsageError."""
    if {"-h", "--help"} & set(words) or list(words[:1]) == ["help"]:
        write(usage)
        return 0
    chosen, rest = parser.parse_known_args(list(words))
    terminal = Terminal(write, coloured=write is say and sys.stdout.isatty())
    report = Report() if chosen.json else terminal.report()
    status = examine(report, chosen, rest)
    if chosen.json:
        write(as_json(report))
    else:
        terminal.close(report)
    return status
