"""Digest answers are those of the RFCs' examples, and the strongest challenge is answered."""

import pytest

from publisher.sources.rtsp.authentication import (
    Authenticator,
    Challenge,
    Credentials,
    best,
    challenges,
)

MUFASA = Credentials("Mufasa", "Circle of Life")
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digest_is_that_of_rfc_7616(algorithm: str, response: str) -> None:
    challenge = (
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
        f'nonce="{NONCE}", opaque="{OPAQUE}"'
    )
    (offered,) = challenges([challenge])
    said = Authenticator(MUFASA, offered, lambda: CNONCE).authorization("GET", "/dir/index.html")
    assert f'response="{response}"' in said
    assert f'opaque="{OPAQUE}"' in said
    assert "nc=00000001" in said
    assert "qop=auth," in said + ","


def test_digest_without_qop_is_that_of_rfc_2617() -> None:
    # RFC 2617 §3.5's user and nonce, answered as RFC 2069 §2.1.2 demands.
    (offered,) = challenges(
        ['Digest realm="testrealm@host.com",nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"']
    )
    credentials = Credentials("Mufasa", "Circle Of Life")
    said = Authenticator(credentials, offered).authorization("GET", "/dir/index.html")
    assert 'response="670fd8c2df070c60b045671b8b24ff02"' in said
    assert "cnonce" not in said


def test_a_nonce_is_counted() -> None:
    (offered,) = challenges(['Digest realm="r", nonce="n", qop="auth"'])
    authenticator = Authenticator(MUFASA, offered)
    authenticator.authorization("OPTIONS", "rtsp://x")
    assert "nc=00000002" in authenticator.authorization("DESCRIBE", "rtsp://x")


def test_basic_is_base64() -> None:
    said = Authenticator(Credentials("a", "ü:b"), Challenge("basic", {})).authorization("", "")
    assert said == "Basic YTrDvDpi"


@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        (['Basic realm="x"', 'Digest realm="x", nonce="1"'], ("digest", "MD5")),
        (
            ['Digest realm="a, b", nonce="1", Digest nonce="2", algorithm=SHA-256, Basic'],
            ("digest", "SHA-256"),
        ),
        (['Digest realm="x", nonce="1", algorithm=SHA3', 'Basic realm="x"'], ("basic", "MD5")),
        (['Digest realm="x", nonce="1", qop="auth-int"'], None),
        (["Negotiate", "Digest realm=x"], None),
        ([], None),
    ],
)
def test_the_strongest_that_is_known_is_chosen(
    fields: list[str], chosen: tuple[str, str] | None
) -> None:
    found = best(challenges(fields))
    assert (found and (found.scheme, found.algorithm)) == chosen


def test_a_stale_nonce_is_told() -> None:
    (offered,) = challenges(['Digest realm="x", nonce="1", stale=TRUE'])
    assert offered.stale


def test_a_session_hash_has_the_nonces_in_it() -> None:
    (offered,) = challenges(['Digest realm="r", nonce="n", qop="auth", algorithm=MD5-sess'])
    plain = challenges(['Digest realm="r", nonce="n", qop="auth", algorithm=MD5'])[0]
    said = [
        Authenticator(MUFASA, one, lambda: "c").authorization("A", "u") for one in (offered, plain)
    ]
    assert said[0] != said[1]
    assert "algorithm=MD5-sess" in said[0]


def test_a_password_is_not_shown() -> None:
    assert "Circle" not in repr(MUFASA)
