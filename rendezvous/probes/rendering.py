"""A report for people, line by line as it is made, and as JSON when it is complete."""

import json
import textwrap
from collections.abc import Callable
from dataclasses import asdict

from rendezvous.probes.findings import Finding, Report, Step, Verdict

_WIDTH = 92  # characters
_MARKS = {
    Verdict.WELL: ("✓", "32"),
    Verdict.NOTE: ("·", "2"),
    Verdict.WARNING: ("!", "33"),
    Verdict.FAULT: ("✗", "31"),
}  # the mark, and its colour (ECMA-48 §8.3.117)


class Terminal:
    """Writes each step when it begins and each finding when it is made."""

    def __init__(self, write: Callable[[str], None], *, coloured: bool) -> None:
        self._write = write
        self._coloured = coloured

    def report(self) -> Report:
        """A report that is written as it grows."""
        return Report(self._step, self._finding)

    def close(self, report: Report) -> None:
        """The sum of it."""
        self._write("")
        self._write(_sum(report))

    def _step(self, step: Step) -> None:
        self._write(f"\n{self._paint(step.title, '1')}")

    def _finding(self, found: Finding) -> None:
        mark, colour = _MARKS[found.verdict]
        good = found.verdict in (Verdict.WELL, Verdict.NOTE)
        code = "" if good else f"[{found.code}] "
        self._paragraph(f"  {self._paint(mark, colour)} ", code + found.sentence)
        if found.meaning:
            self._paragraph("    → ", found.meaning)
        if found.cure:
            self._paragraph("    ⚒ ", found.cure)

    def _paragraph(self, lead: str, text: str) -> None:
        lines = textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
        self._write(lead + lines[0])
        for line in lines[1:]:
            self._write(f"      {line}")

    def _paint(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._coloured else text


def as_json(report: Report) -> str:
    """One object: whether all is well, and the steps with their findings."""
    steps = [
        {
            "title": step.title,
            "findings": [{**asdict(f), "verdict": f.verdict.value} for f in step.findings],
        }
        for step in report.steps
    ]
    return json.dumps({"well": report.well, "steps": steps}, ensure_ascii=False, indent=2)


def _sum(report: Report) -> str:
    faults, warnings = report.count(Verdict.FAULT), report.count(Verdict.WARNING)
    if report.well:
        return "All is well."
    counted = [_counted(faults, "fault"), _counted(warnings, "warning")]
    return f"{' and '.join(filter(None, counted))}: → says what viewers notice, ⚒ what to do."


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number > 1 else ''}" if number else ""
