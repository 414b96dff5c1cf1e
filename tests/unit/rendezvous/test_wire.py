"""The vocabulary: golden examples of every message, golden bad inputs, and a fuzz of the parser."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendezvous.wire import codec, identity
from rendezvous.wire.messages import (
    MESSAGE_BYTES,
    ClientMessage,
    ErrorCode,
    IceServer,
    Joined,
    Message,
    ServerMessage,
)

GOLDEN = Path(__file__).parents[2] / "wire"
CLIENT = {kind.__struct_config__.tag: kind for kind in get_args(ClientMessage)}
SERVER = {kind.__struct_config__.tag: kind for kind in get_args(ServerMessage)}
PROTOCOL = (Path(__file__).parents[3] / "PROTOCOL.md").read_text(encoding="utf-8")


def golden(name: str) -> Any:
    """One of the files that Python and JavaScript both read."""
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def bad_input(case: dict[str, Any]) -> bytes:
    """The bytes of one bad input."""
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    fill = case.get("with", "a") * case.get("fill", 0)
    return str(case["text"]).replace("‹fill›", fill).encode()


def refusal(decode: Callable[[bytes | str], Message], data: bytes | str) -> ErrorCode | None:
    """The code of the refusal, or None for a message; any other error is the test's failure."""
    try:
        decode(data)
    except codec.WireError as error:
        return error.code
    return None


@pytest.mark.parametrize("tag", sorted({*CLIENT, *SERVER}))
def test_every_message_has_examples_that_survive_the_round_trip(tag: str) -> None:
    """In the directions that the vocabulary declares, and in no other."""
    file = golden(tag)
    ways = {
        ("client", "both"): (CLIENT, codec.decode_client),
        ("server", "both"): (SERVER, codec.decode_server),
    }
    assert file["examples"]
    for directions, (kinds, decode) in ways.items():
        assert (file["direction"] in directions) is (tag in kinds)
        for example in file["examples"] if tag in kinds else ():
            message = decode(json.dumps(example))
            assert type(message) is kinds[tag]
            assert decode(codec.encode(message)) == message


@pytest.mark.parametrize("case", golden("invalid")["inputs"], ids=lambda case: case["why"])
def test_bad_input_is_refused_with_its_code(case: dict[str, Any]) -> None:
    """As bytes and, where it is text, as text."""
    data = bad_input(case)
    with pytest.raises(codec.WireError) as caught:
        codec.decode_client(data)
    assert caught.value.code == case["code"]
    if "hex" not in case:
        with pytest.raises(codec.WireError):
            codec.decode_client(data.decode())


@given(st.binary(max_size=2000) | st.text(max_size=2000))
def test_the_parser_refuses_anything_it_does_not_know(data: bytes | str) -> None:
    """A message or a WireError: nothing else comes out."""
    for decode in (codec.decode_client, codec.decode_server):
        assert refusal(decode, data) in (None, *ErrorCode)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=10,
)


@given(st.sampled_from(sorted(CLIENT)), st.data())
def test_a_message_with_any_field_exchanged_is_taken_or_refused(
    tag: str, data: st.DataObject
) -> None:
    """Structured fuzz: a golden example, one field replaced or removed."""
    example = dict(data.draw(st.sampled_from(golden(tag)["examples"])))
    field = data.draw(st.sampled_from(sorted(example)))
    if data.draw(st.booleans()):
        example[field] = data.draw(JSON)
    else:
        del example[field]
    code = refusal(codec.decode_client, json.dumps(example))
    assert code in (None, ErrorCode.MALFORMED, ErrorCode.UNKNOWN_TYPE)


def test_the_limit_is_in_bytes_of_the_message() -> None:
    """At the limit it passes, above it does not."""
    frame = '{"type":"ping","x":"%s"}'
    codec.decode_client(frame % ("a" * (MESSAGE_BYTES - len(frame) + 2)))
    with pytest.raises(codec.WireError) as caught:
        codec.decode_client(frame % ("a" * (MESSAGE_BYTES - len(frame) + 3)))
    assert caught.value.code == ErrorCode.MESSAGE_TOO_LARGE


@pytest.mark.parametrize("code", ErrorCode)
def test_every_error_code_is_in_the_protocol(code: ErrorCode) -> None:
    """People can look it up."""
    assert f"| `{code}`" in PROTOCOL


def test_secrets_are_not_in_representations() -> None:
    """What is logged by mistake gives nothing away."""
    server = IceServer(urls=("turn:x",), username="u", credential="TOP-SECRET")
    joined = Joined(room="r", session="s" * 22, secret="TOP-SECRET", ice_servers=(server,))
    assert "TOP-SECRET" not in repr(server) + repr(joined)


# ── identity ─────────────────────────────────────────────────────────────────────────────────

VECTORS = golden("identity")


def test_identity_vectors() -> None:
    """Names and proofs are the same in every language."""
    spki = identity.decode(VECTORS["spki"])
    assert identity.thumbprint(spki) == VECTORS["thumbprint"]
    for case in VECTORS["key_rooms"]:
        room = identity.key_room(spki, case["label"])
        assert room == case["room"]
        assert identity.is_key_room(room)
        assert identity.is_room_id(room)
    for case in VECTORS["viewer_verifiers"]:
        assert identity.viewer_verifier(case["room"], case["secret"]) == case["verifier"]
    for case in VECTORS["join_proofs"]:
        proof = identity.join_proof(
            case["verifier"],
            nonce=case["nonce"],
            connection=case["connection"],
            room=case["room"],
        )
        assert proof == case["proof"]


def test_room_ids() -> None:
    """The two lists of the vectors."""
    assert all(map(identity.is_room_id, VECTORS["room_ids"]["valid"]))
    assert not any(map(identity.is_room_id, VECTORS["room_ids"]["invalid"]))


@given(st.binary())
def test_base64url_without_padding(data: bytes) -> None:
    """There and back, and never a character that a URL would change."""
    text = identity.encode(data)
    assert identity.decode(text) == data
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
