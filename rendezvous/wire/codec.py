"""Bytes to messages and back: one JSON object each, checked against the vocabulary once."""

from typing import TypeVar

import msgspec

from rendezvous.wire.messages import (
    MESSAGE_BYTES,
    ClientMessage,
    ErrorCode,
    Message,
    ServerMessage,
)


class WireError(Exception):
    """What a peer sent cannot be taken; ``code`` and the sentence go back to it."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


_M = TypeVar("_M")

_encoder = msgspec.json.Encoder()
_client_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_server_decoder: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)


def encode(message: Message) -> bytes:
    """The message as one line of JSON, without the line feed."""
    return _encoder.encode(message)


def decode_client(data: bytes | str) -> ClientMessage:
    """What a camera or a viewer says; raises WireError."""
    return _decode(_client_decoder, data)


def decode_server(data: bytes | str) -> ServerMessage:
    """What the rendezvous says; raises WireError."""
    return _decode(_server_decoder, data)


def _decode(decoder: msgspec.json.Decoder[_M], data: bytes | str) -> _M:
    if len(data) > MESSAGE_BYTES:
        raise too_large()
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        if str(error).startswith("Invalid value '") and str(error).endswith("`$.type`"):
            sentence = f"{error}. PROTOCOL.md lists the types."
            raise WireError(ErrorCode.UNKNOWN_TYPE, sentence) from None
        raise WireError(ErrorCode.MALFORMED, f"{error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(ErrorCode.MALFORMED, f"Not one JSON object in UTF-8: {error}.") from None


def too_large() -> WireError:
    """The refusal of a message over the limit; its sender is closed, for framing is lost."""
    return WireError(
        ErrorCode.MESSAGE_TOO_LARGE, f"A message may have {MESSAGE_BYTES} bytes at the most."
    )
