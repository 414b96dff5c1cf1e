"""What a doctor finds: values, collected in the order of the road."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from rendezvous.program.errors import ProgramError


class Verdict(Enum):
    """How bad it is."""

    WELL = "well"
    NOTE = "note"  # worth knowing, or not to be tested here
    WARNING = "warning"  # some viewers, or later
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``code`` never changes between releases.

    ``meaning`` says what viewers notice of it, ``cure`` what to do.
    """

    verdict: Verdict
    code: str
    sentence: str
    meaning: str = ""
    cure: str = ""


def well(code: str, sentence: str) -> Finding:
    """All is as it should be."""
    return Finding(Verdict.WELL, code, sentence)


def note(code: str, sentence: str, meaning: str = "", cure: str = "") -> Finding:
    """Nothing is wrong; somebody may want to know."""
    return Finding(Verdict.NOTE, code, sentence, meaning, cure)


def warning(code: str, sentence: str, meaning: str = "", cure: str = "") -> Finding:
    """It works for some, or not for long."""
    return Finding(Verdict.WARNING, code, sentence, meaning, cure)


def fault(code: str, sentence: str, meaning: str = "", cure: str = "") -> Finding:
    """It does not work."""
    return Finding(Verdict.FAULT, code, sentence, meaning, cure)


def of_error(error: ProgramError, meaning: str = "") -> Finding:
    """A program's own error, with its own code, sentence and cure."""
    return fault(error.code, error.sentence, meaning, error.cure)


@dataclass(slots=True)
class Step:
    """One stretch of the road, and what was found there."""

    title: str
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """All findings; ``on_step`` and ``on_finding`` hear of each as it comes."""

    on_step: Callable[[Step], None] = lambda _step: None
    on_finding: Callable[[Finding], None] = lambda _finding: None
    steps: list[Step] = field(default_factory=list)

    def begin(self, title: str) -> None:
        """The next findings are about this."""
        self.steps.append(Step(title))
        self.on_step(self.steps[-1])

    def add(self, *findings: Finding) -> None:
        """Something was found on the stretch that was begun last."""
        for finding in findings:
            self.steps[-1].findings.append(finding)
            self.on_finding(finding)

    def count(self, verdict: Verdict) -> int:
        """How many findings are so."""
        return sum(found.verdict is verdict for step in self.steps for found in step.findings)

    @property
    def well(self) -> bool:
        """Whether nobody has to do anything."""
        return not self.count(Verdict.FAULT) and not self.count(Verdict.WARNING)
