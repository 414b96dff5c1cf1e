"""What of the other side's description cannot be answered, or accepted, and what to do then."""

from collections.abc import Iterable

from publisher.errors import PublisherError
from publisher.rtc import sdp
from publisher.rtc.channel import SMALLEST_LIMIT


class OfferRefusedError(PublisherError):
    """The viewer's offer cannot be answered."""


class AnswerRefusedError(PublisherError):
    """What was answered to our offer cannot carry the stream."""


def check_offer_of_media(offer: str) -> None:
    """Raises OfferRefusedError for one that cannot take the camera's picture."""
    if not sdp.has_h264(offer):
        raise OfferRefusedError(
            "offer_refused",
            "This browser does not offer H.264, which the camera sends.",
            "Use Chrome, Edge or Safari, or give Firefox its OpenH264 plugin.",
        )


def check_offer_of_channel(offer: str) -> None:
    """Raises OfferRefusedError for one whose messages are too small."""
    if sdp.message_limit(offer) < SMALLEST_LIMIT:
        raise OfferRefusedError(
            "offer_refused",
            "This viewer takes only tiny messages, and the picture comes in larger ones.",
            f"Announce a max-message-size of at least {SMALLEST_LIMIT} bytes.",
        )


def check_answer(answer: str, kinds: Iterable[str]) -> None:
    """Raises AnswerRefusedError for one that rejects what we send."""
    for kind in kinds:
        if not sdp.has_section(answer, kind):
            raise _refused(kind)
    if not sdp.has_h264(answer):
        raise _refused("video")


def _refused(kind: str) -> AnswerRefusedError:
    if kind == "audio":
        return AnswerRefusedError("sound_refused", "The server does not take the camera's sound.")
    return AnswerRefusedError(
        "picture_refused",
        "The server does not take H.264, which the camera sends.",
        "Let it take H.264, packetization-mode 1.",
    )
