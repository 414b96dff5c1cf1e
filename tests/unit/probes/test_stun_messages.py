"""STUN messages, against RFC 5769's test vectors and whatever bytes come."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from rendezvous.probes import stun
from rendezvous.probes.stun import Attribute, Kind, Method

# RFC 5769 §2.2 and §2.3: the answers to a Binding request, 192.0.2.1:32853 and its IPv6 sibling.
IPV4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147"
    "e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
IPV6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a147"
    "0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed418028"
    "0004c8fb0b4c"
)


def test_an_answer_of_the_rfc_is_read() -> None:
    for data, address in ((IPV4, "192.0.2.1"), (IPV6, "2001:db8:1234:5678:11:2233:4455:6677")):
        answer = stun.decode(data)
        assert answer is not None
        assert (answer.method, answer.kind) == (Method.BINDING, Kind.SUCCESS)
        assert answer.address(Attribute.XOR_MAPPED_ADDRESS) == (address, 32853)


def test_what_is_signed_covers_all_that_is_before_it() -> None:
    request = stun.message(Method.ALLOCATE, Kind.REQUEST, {Attribute.REALM: b"realm"})
    data = stun.encode(request, b"key")
    assert data[-20:] == hmac.digest(b"key", data[:-24], "sha1")
    assert stun.size(data) == len(data)


@given(
    st.sampled_from(list(Method)),
    st.sampled_from(list(Kind)),
    st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=40), max_size=5),
)
def test_a_message_is_read_as_it_was_written(
    method: Method, kind: Kind, attributes: dict[int, bytes]
) -> None:
    sent = stun.message(method, kind, attributes)
    assert stun.decode(stun.encode(sent)) == sent


@given(st.ip_addresses(), st.integers(0, 65535), st.binary(min_size=12, max_size=12))
def test_an_address_survives_its_mask(ip: object, port: int, transaction: bytes) -> None:
    assert stun.unxor(stun.xor((str(ip), port), transaction), transaction) == (str(ip), port)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_harm(data: bytes) -> None:
    """Alone, and behind a header that says they are a message."""
    stun.decode(data)
    head = b"\x01\x01" + len(data).to_bytes(2) + b"\x21\x12\xa4\x42" + bytes(12)
    answer = stun.decode(head + data)
    assert answer is not None
    assert answer.error >= 0
    for attribute in (Attribute.XOR_MAPPED_ADDRESS, Attribute.XOR_RELAYED_ADDRESS):
        answer.address(attribute)
    stun.plain_address(data)
