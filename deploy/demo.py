"""`make demo`: a rendezvous and a publisher on this machine, and one line with the link."""

import argparse
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

BIN = Path(sys.executable).parent
STATE = Path(__file__).parent.parent / ".state"

Program: TypeAlias = subprocess.Popen[str]


def main() -> int:
    """Runs both programs until the publisher ends or Ctrl-C."""
    given = _arguments()
    given.state.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        rendezvous = stack.enter_context(_rendezvous(given.port, given.state))
        if not _line(rendezvous):  # it has said on stderr what is wrong
            return rendezvous.wait()
        publisher = stack.enter_context(_publisher(given.port, given.state, given.source))
        if link := _line(publisher):
            print(link, end="", flush=True)
        return publisher.wait()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", default="4545")
    parser.add_argument("--source", default="test:")
    parser.add_argument("--state", type=Path, default=STATE)
    return parser.parse_args()


def _line(program: Program) -> str:
    assert program.stdout  # noqa: S101  # tells the type checker
    return program.stdout.readline()


def _rendezvous(port: str, state: Path) -> contextlib.AbstractContextManager[Program]:
    names = str(state / "rendezvous.sqlite")
    return _program(
        *("rendezvous", "--listen", f"0.0.0.0:{port}", "--state", names, "--log-level", "warning")
    )


def _publisher(port: str, state: Path, source: str) -> contextlib.AbstractContextManager[Program]:
    return _program(
        *("publisher", "startWebRTC", "ersIP=127.0.0.1", f"ersPort={port}"),
        *(f"source={source}", f"state={state}", "logLevel=warning"),
    )


@contextlib.contextmanager
def _program(name: str, *words: str) -> Iterator[Program]:
    program = subprocess.Popen([str(BIN / name), *words], stdout=subprocess.PIPE, text=True)
    try:
        yield program
    finally:
        program.terminate()
        program.wait()


if __name__ == "__main__":
    sys.exit(main())
