"""Rotated keys: a chain is good as it was signed, and with any change to it not at all."""

import dataclasses
import json
from itertools import permutations
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendezvous.rooms.admission import RefusalError, owner_of
from rendezvous.rooms.chains import Chain
from rendezvous.rooms.entries import Peer
from rendezvous.rooms.signatures import SignatureError, verify
from rendezvous.wire import codec, identity
from rendezvous.wire.identity import ConnectionId, Owner
from rendezvous.wire.messages import ROTATIONS, Claim, ErrorCode, Predecessor, Welcome
from tests.support.peers import Key, signed_claim

ORIGIN = "127.0.0.1:4545"
PEER = Peer(
    id=ConnectionId("c" * 22),
    nonce="n" * 22,
    origins=frozenset({ORIGIN}),
    opened_at=0,
    stranger_since=0,
    admit_by=10,
    heard_at=0,
)
WELCOME = Welcome(version=1, server="test", connection=PEER.id, nonce=PEER.nonce)
FIRST = Key()
SECOND = FIRST.rotated()
THIRD = SECOND.rotated()
FOURTH = THIRD.rotated()
GOLDEN = json.loads((Path(__file__).parents[2] / "wire" / "identity.json").read_text("utf-8"))


def claim_of(key: Key, room: str = "MyRoom", label: str = "") -> Claim:
    return signed_claim(WELCOME, key, room=room, origin=ORIGIN, label=label)


def with_chain(key: Key, *chain: Predecessor) -> Claim:
    """Signed by the key as it would with this chain, which need not be one."""
    return claim_of(dataclasses.replace(key, chain=chain))


def refusal(claim: Claim) -> ErrorCode:
    """The code of the refusal; the test fails when the claim is taken."""
    with pytest.raises(RefusalError) as caught:
        owner_of(claim, PEER)
    return caught.value.code


def test_golden_rotations() -> None:
    """Texts are made as written down; links and claim belong to their keys."""
    golden = GOLDEN["rotations"]
    for link in golden["links"]:
        old, new = identity.decode(link["old"]), identity.decode(link["new"])
        text = identity.rotation_text(root=golden["root"], number=link["number"], old=old, new=new)
        assert text == link["text"].encode()
        verify(spki=old, signature=identity.decode(link["signature"]), text=text)
    facts = {k: v for k, v in golden["claim"].items() if k not in ("text", "signature")}
    assert identity.claim_text(**facts) == golden["claim"]["text"].encode()


def test_the_golden_claim_is_the_root_s() -> None:
    """As a message, through the whole check."""
    examples = json.loads((Path(__file__).parents[2] / "wire" / "claim.json").read_text("utf-8"))
    (example,) = [e for e in examples["examples"] if "chain" in e]
    claim = codec.decode_client(json.dumps(example))
    assert isinstance(claim, Claim)
    facts = GOLDEN["rotations"]["claim"]
    peer = dataclasses.replace(
        PEER, id=facts["connection"], nonce=facts["nonce"], origins=frozenset({facts["origin"]})
    )
    assert owner_of(claim, peer) == GOLDEN["rotations"]["root"]


@pytest.mark.parametrize("key", [FIRST, SECOND, THIRD, FOURTH])
def test_every_key_of_a_chain_speaks_for_its_first(key: Key) -> None:
    """Open rooms and key rooms alike: rotating revokes nothing and changes no room."""
    assert owner_of(claim_of(key), PEER) == identity.thumbprint(FIRST.spki)
    room = identity.key_room(FIRST.spki, "yard")
    assert owner_of(claim_of(key, room, "yard"), PEER) == identity.thumbprint(FIRST.spki)


def test_a_rotated_key_has_no_key_room_of_its_own() -> None:
    """Not while it speaks for another."""
    room = identity.key_room(SECOND.spki)
    assert refusal(claim_of(SECOND, room)) == ErrorCode.CLAIM_INVALID


def test_a_chain_of_another_s_links_is_worth_nothing() -> None:
    """The links are no secret: every server has seen them."""
    thief = Key()
    for length in range(1, len(FOURTH.chain) + 1):
        assert refusal(with_chain(thief, *FOURTH.chain[:length])) == ErrorCode.CLAIM_INVALID


def test_a_forged_link_is_refused() -> None:
    """A thief that names itself the successor, with its own signature."""
    thief = Key()
    text = identity.rotation_text(root=FIRST.owner, number=1, old=FIRST.spki, new=thief.spki)
    forged = Predecessor(key=identity.encode(FIRST.spki), signature=thief.sign(text))
    assert refusal(with_chain(thief, forged)) == ErrorCode.CLAIM_INVALID


@pytest.mark.parametrize("order", sorted(permutations(range(3)))[1:])
def test_a_reordered_chain_is_refused(order: tuple[int, ...]) -> None:
    """Each link has its number."""
    links = [FOURTH.chain[place] for place in order]
    assert refusal(with_chain(FOURTH, *links)) == ErrorCode.CLAIM_INVALID


@pytest.mark.parametrize("kept", [(1, 2), (0, 2), (0, 1), (0,), (1,), (2,)])
def test_a_truncated_chain_is_refused(kept: tuple[int, ...]) -> None:
    """At its head it would have another root, elsewhere a link that names another key."""
    links = [FOURTH.chain[place] for place in kept]
    assert refusal(with_chain(FOURTH, *links)) == ErrorCode.CLAIM_INVALID


def test_without_its_chain_a_rotated_key_is_somebody_else() -> None:
    """It may have rooms of its own, and none of the root's."""
    assert owner_of(with_chain(FOURTH), PEER) == identity.thumbprint(FOURTH.spki)


def test_a_loop_is_refused() -> None:
    """Also one whose links were all signed by their keys."""
    text = identity.rotation_text(root=FIRST.owner, number=2, old=SECOND.spki, new=FIRST.spki)
    back = Predecessor(key=identity.encode(SECOND.spki), signature=SECOND.sign(text))
    assert refusal(with_chain(FIRST, *SECOND.chain, back)) == ErrorCode.CLAIM_INVALID


def test_a_chain_does_not_continue_another_root_s() -> None:
    """A key that was rotated in its own right cannot be grafted onto a chain."""
    other = Key()
    grafted = dataclasses.replace(other, chain=SECOND.chain).rotated()
    assert refusal(claim_of(grafted)) == ErrorCode.CLAIM_INVALID


def test_a_signature_without_its_root_is_for_no_chain() -> None:
    """A claim as the key itself cannot be turned into one for the root, nor the other way."""
    plain, rotated = claim_of(dataclasses.replace(SECOND, chain=())), claim_of(SECOND)
    assert refusal(msgspec.structs.replace(plain, chain=SECOND.chain)) == ErrorCode.CLAIM_INVALID
    assert refusal(msgspec.structs.replace(rotated, chain=())) == ErrorCode.CLAIM_INVALID


def test_a_longest_chain_is_taken_and_a_longer_one_is_no_message() -> None:
    """Each link costs a signature's check, so there is an end to them."""
    key = FIRST
    for _ in range(ROTATIONS):
        key = key.rotated()
    message = codec.decode_client(codec.encode(claim_of(key)))
    assert isinstance(message, Claim)
    assert owner_of(message, PEER) == FIRST.owner
    with pytest.raises(codec.WireError) as caught:
        codec.decode_client(codec.encode(claim_of(key.rotated())))
    assert caught.value.code == ErrorCode.MALFORMED


@given(
    st.integers(0, 2), st.sampled_from(["key", "signature"]), st.integers(0, 200), st.integers(1)
)
def test_any_changed_byte_of_a_link_is_refused(
    link: int, name: str, place: int, change: int
) -> None:
    """Every bit of every key and of every signature counts."""
    before = FOURTH.chain[link]
    data = bytearray(identity.decode(getattr(before, name)))
    data[place % len(data)] ^= change % 255 + 1
    after = msgspec.structs.replace(before, **{name: identity.encode(bytes(data))})
    links = [*FOURTH.chain[:link], after, *FOURTH.chain[link + 1 :]]
    assert refusal(with_chain(FOURTH, *links)) == ErrorCode.CLAIM_INVALID


@given(st.lists(st.tuples(st.text(max_size=200), st.text(max_size=100)), min_size=1, max_size=8))
def test_rubbish_is_refused_and_nothing_worse(links: list[tuple[str, str]]) -> None:
    """Whatever it is."""
    chain = tuple(Predecessor(key=key, signature=signature) for key, signature in links)
    claim = msgspec.structs.replace(claim_of(FIRST), chain=chain)
    assert refusal(claim) == ErrorCode.CLAIM_INVALID


@given(st.lists(st.binary(max_size=120), min_size=2, max_size=9))
def test_chains_of_any_bytes_speak_for_nobody(keys: list[bytes]) -> None:
    """The check itself, without the claim around it."""
    chain = Chain((*keys[:-1], FIRST.spki), tuple(keys[1:]))
    with pytest.raises(SignatureError):
        chain.verify(signature=bytes(64), text=b"a claim")
    assert chain.owner == Owner(identity.thumbprint(keys[0]))
