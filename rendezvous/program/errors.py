"""The errors that end a program: a stable code, a sentence, and what to do about it."""


class ProgramError(Exception):
    """Something the person at the terminal can mend.

    ``code`` never changes between releases; ``cure`` says what to do. ``exit_status`` follows
    sysexits(3): 64 wrong usage, 69 something needed is unavailable, 76 another program broke its
    protocol, 78 wrong settings.
    """

    exit_status = 1

    def __init__(self, code: str, sentence: str, cure: str = "") -> None:
        super().__init__(f"{sentence} {cure}".strip())
        self.code = code
        self.sentence = sentence
        self.cure = cure


class UsageError(ProgramError):
    """The command line cannot be understood."""

    exit_status = 64


class UnavailableError(ProgramError):
    """A port, a file or a device that is needed cannot be had."""

    exit_status = 69


class ProtocolError(ProgramError):
    """Another program broke its protocol, so that it is not safe to go on."""

    exit_status = 76


class SettingsError(ProgramError):
    """A setting is unknown, malformed or contradicts another."""

    exit_status = 78
