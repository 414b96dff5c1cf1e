"""In a relay-only session nobody hears an address of the other, whatever either says of itself."""

import pytest

from rendezvous.rooms import privacy
from rendezvous.rooms.book import Ice
from rendezvous.wire.messages import (
    SDP_BYTES,
    Answer,
    Candidate,
    End,
    IceCandidate,
    IcePolicy,
    Joined,
    Offer,
)
from rendezvous.wire.messages import Session as SessionOpened
from tests.support.peers import Key
from tests.support.scene import Actor, Scene
from tests.support.whep_offers import UFRAG, offer

HOST = "candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host"
HIDDEN_NAME = "candidate:1 1 udp 2122260223 61cf5c2e-71ff.local 61764 typ host"
REFLEXIVE = "candidate:2 1 udp 1686052607 198.51.100.7 61764 typ srflx raddr 192.0.2.1 rport 61764"
RELAYED = "candidate:3 1 udp 41885695 203.0.113.9 50000 typ relay raddr 198.51.100.7 rport 61764"
HIDDEN = "candidate:3 1 udp 41885695 203.0.113.9 50000 typ relay raddr 0.0.0.0 rport 9"
OWN = (HOST, HIDDEN_NAME, REFLEXIVE, RELAYED)
TRACES = ("192.0.2.1", "198.51.100.7", "fd00::1", ".local", "61764")
SESSION = "s" * 22


def gathered() -> str:
    """A description by who has looked at no policy: its addresses are everywhere."""
    own = "\r\n".join(f"a={line}" for line in OWN)
    rtcp = f"a=rtcp:61764 IN IP4 198.51.100.7\r\n{own}\r\na=rtcp-mux"
    sdp = offer().replace("IN IP4 127.0.0.1", "IN IP6 fd00::1").replace(" 9 UDP", " 61764 UDP")
    return sdp.replace("IN IP4 0.0.0.0", "IN IP4 198.51.100.7").replace("a=rtcp-mux", rtcp)


def test_a_description_has_relayed_addresses_alone() -> None:
    hidden = privacy.hide(gathered())
    for trace in TRACES:
        assert trace in gathered()
        assert trace not in hidden
    assert hidden.count(f"a={HIDDEN}\r\n") == 2
    assert f"a=ice-ufrag:{UFRAG}" in hidden


@pytest.mark.parametrize(
    "related", ["raddr 198.51.100.7", "rport 61764 raddr fd00::1", "RADDR 192.0.2.1 generation 0"]
)
def test_what_a_relayed_candidate_is_related_to_is_hidden_however_it_is_written(
    related: str,
) -> None:
    said = f"{RELAYED.partition(' raddr')[0]} {related}"
    hidden = privacy.relayed(said) or ""
    assert "typ relay" in hidden
    assert not any(trace in hidden for trace in TRACES)


def test_the_addresses_that_a_side_has_chosen_are_hidden() -> None:
    chosen = "a=remote-candidates:1 192.0.2.1 61764\r\n"
    assert privacy.hide(offer() + chosen) == privacy.hide(offer())


def test_a_description_that_nobody_could_be_told_is_not_passed_on() -> None:
    """Each short address that is hidden makes it longer."""
    text = "v=0\r\n" + "c=IN IP4 0\r\n" * (SDP_BYTES // 12)
    assert privacy.hidden(Offer(session=SESSION, sdp=text)) is None
    long = f"{RELAYED.partition(' raddr')[0]} raddr x rport 1 {'x' * 2_048}"
    assert privacy.hidden(trickled(long)) is None


@pytest.mark.parametrize("text", [HOST, HIDDEN_NAME, REFLEXIVE, "nonsense"])
def test_candidates_that_are_not_relayed_are_not_passed_on(text: str) -> None:
    assert privacy.hidden(trickled(text)) is None


@pytest.mark.parametrize(
    "said",
    [
        Candidate(session=SESSION, candidate=None),
        Candidate(session=SESSION, candidate=IceCandidate(candidate="", sdp_mid="0")),
        End(session=SESSION, reason="left"),
    ],
)
def test_ends_are_passed_on_as_they_are(said: Candidate | End) -> None:
    assert privacy.hidden(said) == said


def trickled(text: str, session: str = SESSION) -> Candidate:
    """As a browser says it."""
    own = IceCandidate(candidate=text, sdp_mid="0", username_fragment=UFRAG)
    return Candidate(session=session, candidate=own)


# ── the room ─────────────────────────────────────────────────────────────────────────────────


def opened(policy: IcePolicy) -> tuple[Scene, Actor, Actor, str]:
    """A camera and a viewer who has joined; nothing is left to hear."""
    scene = Scene(ice=Ice(relays=True))
    camera = scene.camera("MyRoom", Key(), ice_policy=policy)
    camera.hears()
    viewer = scene.viewer("MyRoom")
    return scene, camera, viewer, viewer.hears_only(Joined).session


def test_nothing_that_either_says_tells_where_it_is() -> None:
    """The viewer's first candidates are kept until its offer: they are hidden as well."""
    scene, camera, viewer, session = opened(IcePolicy.RELAY)
    for text in OWN:
        viewer.says(trickled(text, session))
    viewer.says(Offer(session=session, sdp=gathered()))
    told = camera.hears()
    assert [type(message) for message in told] == [SessionOpened, Candidate]
    camera.says(Answer(session=session, sdp=gathered()))
    for text in OWN:
        camera.says(trickled(text, session))
    heard = viewer.hears()
    assert heard == [
        Answer(session=session, sdp=privacy.hide(gathered())),
        trickled(HIDDEN, session),
    ]
    assert told[1] == heard[1]
    assert isinstance(told[0], SessionOpened)
    assert told[0].sdp == privacy.hide(gathered())
    assert scene.drops == ["not_relayed"] * 6


def test_where_addresses_may_be_known_nothing_is_changed() -> None:
    _, camera, viewer, session = opened(IcePolicy.ALL)
    viewer.says(Offer(session=session, sdp=gathered())).says(trickled(HOST, session))
    told = camera.hears()
    assert isinstance(told[0], SessionOpened)
    assert (told[0].sdp, told[1]) == (gathered(), trickled(HOST, session))
