"""What is sent fits the viewer's messages."""

from types import SimpleNamespace
from typing import Any

import pytest

from publisher.rtc import sdp
from publisher.rtc.channel import MESSAGE_BYTES, SMALLEST_LIMIT, Channel, ChannelDoor
from publisher.rtc.peer import Peer
from publisher.rtc.refusals import OfferRefusedError
from rendezvous.wire.messages import IcePolicy


def sent(limit: int, size: int) -> list[int]:
    """The sizes of the messages for so many bytes, for a viewer that takes so many in one."""
    sizes: list[int] = []
    transport = SimpleNamespace(_remote_max_message_size=limit)
    channel: Any = SimpleNamespace(transport=transport, send=lambda data: sizes.append(len(data)))
    Channel(channel).send(bytes(size))
    return sizes


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (0, [MESSAGE_BYTES, 10]),  # any
        (65_536, [MESSAGE_BYTES, 10]),
        (9_000, [9_000, MESSAGE_BYTES + 10 - 9_000]),
    ],
)
def test_bytes_go_in_messages_that_the_viewer_takes(limit: int, expected: list[int]) -> None:
    assert sent(limit, MESSAGE_BYTES + 10) == expected


def test_an_offer_says_how_large_a_message_may_be() -> None:
    assert sdp.message_limit("a=max-message-size:9000\r\n") == 9000
    assert sdp.message_limit("a=max-message-size:0\r\n") == float("inf")
    assert sdp.message_limit("v=0\r\n") == 65_536


async def test_who_takes_only_tiny_messages_is_refused_with_words() -> None:
    peer = Peer((), IcePolicy.ALL, lambda _: None, lambda: None)
    peer.open_to(ChannelDoor("media", "some", lambda _: None))
    with pytest.raises(OfferRefusedError, match="tiny") as refused:
        await peer.answer(f"a=max-message-size:{SMALLEST_LIMIT - 1}\r\n")
    assert "max-message-size" in str(refused.value.cure)
    await peer.close()
