"""Programs for which it is another day, by Debian's libfaketime; seconds stay as long.

What begins their command line is here. The command ``faketime`` would do, but leaves its program
behind when it is killed.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SECONDS_STAY = "FAKETIME_DONT_FAKE_MONOTONIC=1"


def far_ahead() -> tuple[str, ...]:
    """In a thousand days."""
    return _environment("FAKETIME=+1000d")


class TurnableClock:
    """A clock that a test turns while the program runs; right in the beginning."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.turn(0)

    @property
    def wrap(self) -> tuple[str, ...]:
        """Begins the command line."""
        return _environment(f"FAKETIME_TIMESTAMP_FILE={self._file}", "FAKETIME_NO_CACHE=1")

    def turn(self, seconds: int) -> None:
        """From now on it is so much ahead; programs never read half a line of it."""
        written = self._file.with_suffix(".new")
        written.write_text(f"+{seconds}\n")
        written.replace(self._file)


@contextmanager
def turnable_clock() -> Iterator[TurnableClock]:
    """For one program, whichever user it becomes."""
    with tempfile.TemporaryDirectory(prefix="porthole-clock-") as folder:
        Path(folder).chmod(0o755)
        yield TurnableClock(Path(folder) / "clock")


def _environment(*variables: str) -> tuple[str, ...]:
    (library, *_) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    return ("env", f"LD_PRELOAD={library}", _SECONDS_STAY, *variables)
