"""The two commands as they are typed: help, wrong words, and settings that are none."""

import io
import json
import sys
from collections.abc import Callable

import pytest

from publisher.doctor import command as publisher
from rendezvous.doctor import command as rendezvous
from rendezvous.probes.consultation import say
from rendezvous.program.errors import UsageError

Run = Callable[..., int]
RUNS: tuple[Run, ...] = (publisher.run, rendezvous.run)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_help_has_examples(run: Run, word: str) -> None:
    lines: list[str] = []
    assert run([word], {}, lines.append) == 0
    assert "examples:" in lines[0]


def test_words_that_are_no_settings_are_a_finding() -> None:
    """With the code and the status of the program that would not start with them."""
    for run in RUNS:
        lines: list[str] = []
        assert run(["--json", "--sing"], {}, lines.append) == 64
        assert json.loads(lines[0])["steps"][0]["findings"][0]["code"] == "usage"


@pytest.mark.parametrize("seconds", ["many", "0", "-3", "nan"])
def test_a_wrong_number_of_seconds_is_a_wrong_word(seconds: str) -> None:
    with pytest.raises(UsageError):
        publisher.run([f"--seconds={seconds}"], {}, list[str]().append)


def test_a_terminal_that_knows_no_marks_gets_others(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    say("✓ well")
    assert terminal.buffer.getvalue() == b"? well\n"
