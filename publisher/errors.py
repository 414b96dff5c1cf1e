"""What can go wrong at the camera's side, split by whose turn it is to mend it."""

from rendezvous.program.errors import ProgramError


class PublisherError(ProgramError):
    """Base of the publisher's own errors: code, sentence, cure."""


class SourceError(PublisherError):
    """The camera does not answer or sends no media; the supervisor tries again.

    Codes are those of ``source`` in PROTOCOL.md §10.
    """


class UnplayableError(PublisherError):
    """The camera is well, but browsers cannot show what it sends until somebody changes it."""


class SignallingError(PublisherError):
    """The rendezvous does not answer or refuses.

    ``retry`` tells whether time may mend it, ``retry_after`` how many seconds the server asks for.
    """

    def __init__(
        self,
        code: str,
        sentence: str,
        cure: str = "",
        *,
        retry: bool = True,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(code, sentence, cure)
        self.retry = retry
        self.retry_after = retry_after


class WhipError(PublisherError):
    """The SFU does not answer, refuses, or has lost the stream.

    ``mendable`` tells whether time may mend it, ``retry_after`` how many seconds the server asks
    for.
    """

    def __init__(
        self,
        code: str,
        sentence: str,
        cure: str = "",
        *,
        mendable: bool = True,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(code, sentence, cure)
        self.mendable = mendable
        self.retry_after = retry_after
