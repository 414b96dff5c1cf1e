"""Offers are taken as browsers make them, without what would make ICE wait or give up."""

from publisher.rtc import sdp

OFFER = (
    "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 102\r\n"
    "a=candidate:1 1 udp 2113937151 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d.local 54400 typ host\r\n"
    "a=candidate:2 1 udp 1677729535 192.0.2.9 54400 typ srflx raddr 0.0.0.0 rport 0\r\n"
    "a=end-of-candidates\r\n"
    "a=rtpmap:102 H264/90000\r\n"
)


def test_hidden_addresses_and_the_end_of_candidates_are_left_out() -> None:
    text = sdp.for_answering(OFFER)
    assert ".local" not in text
    assert "end-of-candidates" not in text
    assert "192.0.2.9" in text
    assert sdp.for_answering(text) == text


def test_a_trickled_hidden_address_is_recognised() -> None:
    assert sdp.is_mdns("candidate:1 1 udp 1 name.local 9 typ host")
    assert not sdp.is_mdns("candidate:1 1 udp 1 192.0.2.9 9 typ host")
    assert not sdp.is_mdns("nonsense")


def test_an_offer_without_h264_is_recognised() -> None:
    assert sdp.has_h264(OFFER)
    assert not sdp.has_h264(OFFER.replace("H264", "VP8"))
