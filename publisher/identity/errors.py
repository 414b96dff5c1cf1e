"""What can go wrong with the camera's key; always the same way out: mend it, or start anew."""

from publisher.errors import PublisherError


class IdentityError(PublisherError):
    """The key or a secret cannot be read, kept or rotated."""

    exit_status = 77
