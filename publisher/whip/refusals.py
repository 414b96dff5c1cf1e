"""What an answer other than 201 means to a person, and whether time may mend it."""

import email.utils
import time

from publisher.errors import WhipError
from publisher.whip.http import Response

LONGEST_PAUSE = 3600.0  # seconds; a server that asks for more is asked again after this

# status: code, sentence, cure. None of these passes by itself.
_FOR_A_PERSON = {
    400: (
        "whip_offer_malformed",
        "{server} cannot make sense of our offer.",
        "Is the URL a WHIP endpoint (RFC 9725)?",
    ),
    401: (
        "whip_unauthorized",
        "{server} does not accept the token.",
        "Set PUBLISHER_WHIP_TOKEN, or whip_token in the settings file.",
    ),
    403: (
        "whip_forbidden",
        "{server} does not let this token publish there.",
        "Check the token's rights and the URL.",
    ),
    404: ("whip_not_found", "{server} has nothing at this URL.", "Check --whip."),
    405: ("whip_no_endpoint", "The URL at {server} takes no offers.", "Check --whip."),
    406: (
        "whip_offer_refused",
        "{server} does not take what the camera sends.",
        "Let it take H.264 with Opus or G.711, as the camera makes them.",
    ),
    410: ("whip_not_found", "{server} has nothing at this URL any more.", "Check --whip."),
}
_FOR_A_PERSON[415] = _FOR_A_PERSON[400]
_FOR_A_PERSON[422] = _FOR_A_PERSON[406]

# These pass, although HTTP counts them among the client's errors.
_PASSING = {
    408: ("whip_unavailable", "{server} did not wait for our offer."),
    409: ("whip_taken", "Somebody publishes at this URL of {server} already."),
    425: ("whip_unavailable", "{server} asks to come again."),
    429: ("whip_busy", "{server} has had too many requests."),
    503: ("whip_busy", "{server} cannot take the stream at the moment."),
}


def refusal(server: str, response: Response) -> WhipError:
    """The error of an answer that is neither 201 nor a redirection."""
    status = response.status
    if status in _FOR_A_PERSON:
        code, sentence, cure = _FOR_A_PERSON[status]
        return WhipError(code, sentence.format(server=server), cure, mendable=False)
    retry_after = _retry_after(response.headers.get("Retry-After", ""))
    if status in _PASSING:
        code, sentence = _PASSING[status]
        return WhipError(code, sentence.format(server=server), retry_after=retry_after)
    if status >= 500:  # noqa: PLR2004  # the server's own errors, RFC 9110 §15.6
        sentence = f"{server} has failed with HTTP {status}."
        return WhipError("whip_unavailable", sentence, retry_after=retry_after)
    return WhipError(
        "whip_refused",
        f"{server} answers an offer with HTTP {status}.",
        "Is the URL a WHIP endpoint (RFC 9725)?",
        mendable=False,
    )


def _retry_after(text: str) -> float:
    """Seconds, from seconds or from a date (RFC 9110 §10.2.3); 0 when there is neither."""
    if text.strip().isdecimal():
        seconds = float(text)
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            return 0.0
    return min(max(seconds, 0.0), LONGEST_PAUSE)
