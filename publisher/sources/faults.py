"""What can be wrong with a camera, in the words that people read: code, sentence, cure."""

from typing import Final, TypeAlias

from publisher.errors import SourceError

Fault: TypeAlias = tuple[str, str, str]

UNAUTHORIZED: Final[Fault] = (
    "source_unauthorized",
    "refuses the user name or the password",
    "Check both; a password with special characters is best given apart from the address.",
)
NOT_FOUND: Final[Fault] = (
    "source_not_found",
    "has nothing at that path",
    "Look the path up in its manual.",
)
NO_FILE: Final[Fault] = ("source_not_found", "does not exist", "Check the path.")
NOT_A_CAMERA: Final[Fault] = (
    "source_not_a_camera",
    "answers, but not as a camera does",
    "Check address and port; cameras mostly listen on 554.",
)
BUSY: Final[Fault] = (
    "source_unreachable",
    "answers that it cannot serve now",
    "Check that not too many programs watch it already.",
)
SILENT: Final[Fault] = (
    "source_unreachable",
    "accepts the connection but says nothing",
    "Check address and port, and restart the camera.",
)
UNREACHABLE: Final[Fault] = (
    "source_unreachable",
    "does not answer",
    "Check the address, and that the camera is on and in this network.",
)
INTERRUPTED: Final[Fault] = ("source_interrupted", "stopped sending", "Waiting for it.")


def error(fault: Fault, shown: str) -> SourceError:
    """The fault of the camera that is called so in front of people."""
    code, sentence, cure = fault
    return SourceError(code, f"{shown} {sentence}.", cure)
