"""Both command lines, the environment and the file say the same, and nothing is ignored."""

from pathlib import Path

import pytest

from publisher.errors import PublisherError
from publisher.settings import Settings, read_settings
from publisher.signalling.connection import ServerAddress
from publisher.sources.address import Address, AddressError
from rendezvous.program.errors import ProgramError, SettingsError, UsageError
from rendezvous.wire.messages import IcePolicy

EVOSTREAM = ["ersIP=192.0.2.7", "ersPort=4600", "roomID=MyRoom", "source=rtsp://camera/1"]


def start(*words: str, **environ: str) -> Settings:
    return read_settings("start", words, environ)


def test_evostream_s_words_mean_what_the_flags_mean() -> None:
    words = [*EVOSTREAM, "ersOverSsl=1", "keepAlive=0", "audio=aac", "transcode=never"]
    flags = "--server 192.0.2.7:4600 --room MyRoom --source rtsp://camera/1 --tls --no-keep-alive"
    flags += " --audio aac --transcode never"
    assert read_settings("startWebRTC", words, {}) == start(*flags.split())


def test_evostream_s_keys_come_in_any_case() -> None:
    shouted = [f"{k.upper()}={v}" for k, _, v in (word.partition("=") for word in EVOSTREAM)]
    assert read_settings("startWebRTC", shouted, {}) == read_settings("startWebRTC", EVOSTREAM, {})


def test_flags_come_before_environment_before_file(tmp_path: Path) -> None:
    file = tmp_path / "publisher.toml"
    file.write_text('room = "File"\nserver = "file:1"\nlabel = "file"\n')
    settings = start(
        *("--config", str(file), "--room", "Flag"), PUBLISHER_ROOM="Env", PUBLISHER_SERVER="env:2"
    )
    assert (settings.room, settings.server, settings.label) == ("Flag", "env:2", "file")


def test_several_cameras_are_tables_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "publisher.toml"
    file.write_text(
        '[[camera]]\nroom = "Door"\nsource = "test:"\n'
        '[[camera]]\nlabel = "yard"\nsource = "rtsp://c/1"\nsource_password = "s3cret"\n'
    )
    settings = start("--config", str(file))
    assert [(c.room, c.label, c.source) for c in settings.cameras] == [
        ("Door", "", "test:"),
        ("", "yard", "rtsp://c/1"),
    ]
    assert "s3cret" not in repr(settings)
    assert settings.cameras[1].source_password == "s3cret"


def test_what_stands_above_the_tables_holds_for_all_cameras(tmp_path: Path) -> None:
    file = tmp_path / "publisher.toml"
    file.write_text(
        'viewers = 3\n[[camera]]\nroom = "A"\nsource = "rtsp://a/1"\n'
        '[[camera]]\nroom = "B"\nsource = "rtsp://b/1"\nviewers = 5\nsource_user = "b"\n'
    )
    settings = start("--config", str(file), "--source-user", "all", PUBLISHER_SOURCE_PASSWORD="pw")
    assert [(c.viewers, c.source_user) for c in settings.cameras] == [(3, "all"), (5, "b")]
    assert {c.source_password for c in settings.cameras} == {"pw"}


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("watch.example.org", ServerAddress("watch.example.org", 4545)),
        ("192.0.2.7:80", ServerAddress("192.0.2.7", 80)),
        ("[2001:db8::7]:4545", ServerAddress("2001:db8::7", 4545)),
    ],
)
def test_a_server_is_a_host_and_perhaps_a_port(server: str, address: ServerAddress) -> None:
    assert start("--server", server).addresses == (address,)


def test_several_nodes_of_one_service_have_commas_between_them() -> None:
    nodes = start("--server", "a.example.org, b.example.org:80,[::1]", "--tls").addresses
    assert nodes == (
        ServerAddress("a.example.org", 4545, tls=True),
        ServerAddress("b.example.org", 80, tls=True),
        ServerAddress("::1", 4545, tls=True),
    )
    assert start(PUBLISHER_SERVER="a,b").addresses[1].host == "b"
    with pytest.raises(SettingsError):
        start("--server", "a,,b")
    with pytest.raises(UsageError, match="one address"):
        read_settings("startWebRTC", ["ersIP=a,b", "source=test:"], {})


def test_the_origin_that_claims_sign_has_ipv6_in_brackets() -> None:
    assert ServerAddress("2001:db8::7", 4545).origin == "[2001:db8::7]:4545"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--server", "a:b:c"], "server_malformed"),
        (["--server", "host:70000"], "server_malformed"),
        (["--room", "no spaces"], "room_malformed"),
        (["--room=-dash"], "room_malformed"),
        (["--room", "a" * 65], "room_malformed"),
        (["--room", "a" * 32], "room_malformed"),  # the form of a key room
        (["--label", "no spaces"], "label_malformed"),
        (["--rtsp-transport", "pigeon"], "setting_invalid"),
        (["--viewers", "many"], "setting_invalid"),
        (["--audio", "mp3"], "setting_invalid"),
        (["--transcode", "perhaps"], "setting_invalid"),
        (["--token", "abc"], "token_refused"),
        (["--whip", "sfu.example"], "whip_malformed"),
        (["--whip", "ftp://sfu.example/whip"], "whip_malformed"),
        (["--whip", "https:///whip"], "whip_malformed"),
        (["--whip", "https://sfu.example:99999/whip"], "whip_malformed"),
        (["--whip", "https://user:pw@sfu.example/whip"], "whip_malformed"),
        (["--whip", "https://sfu.example/a b"], "whip_malformed"),
        (["--whip-token", "abc"], "usage"),
        (["--config", "/no/such/file.toml"], "config_unreadable"),
        (["--no-such-flag"], "usage"),
        (["stray"], "usage"),
    ],
)
def test_a_wrong_flag_has_a_code_and_a_sentence(words: list[str], code: str) -> None:
    with pytest.raises(ProgramError) as caught:
        start(*words)
    assert caught.value.code == code
    assert caught.value.sentence.endswith(".")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["roomID"], "usage"),
        (["localStreamName=x"], "usage"),
        (["keepAlive=perhaps"], "usage"),
        (["token=abc"], "token_refused"),
        (["roomID=a b"], "room_malformed"),
    ],
)
def test_a_wrong_word_of_evostream_s_has_a_code_too(words: list[str], code: str) -> None:
    with pytest.raises(ProgramError) as caught:
        read_settings("startWebRTC", words, {})
    assert caught.value.code == code


def test_a_token_is_refused_without_repeating_it() -> None:
    with pytest.raises(SettingsError) as caught:
        start(PUBLISHER_TOKEN="hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_misspelt_variable_or_key_is_not_ignored(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="PUBLISHER_ROM"):
        start(PUBLISHER_ROM="x")
    file = tmp_path / "publisher.toml"
    file.write_text('rom = "x"\n')
    with pytest.raises(SettingsError, match="'rom'"):
        start("--config", str(file))


def test_two_cameras_cannot_share_a_room(tmp_path: Path) -> None:
    file = tmp_path / "publisher.toml"
    file.write_text('[[camera]]\nsource = "test:"\n[[camera]]\nsource = "test:"\n')
    with pytest.raises(SettingsError) as caught:
        start("--config", str(file))
    assert caught.value.code == "room_twice"


# ── WHIP ─────────────────────────────────────────────────────────────────────────────────────

WHIP = "https://sfu.example/k3y"


@pytest.mark.parametrize(
    ("words", "room"),
    [
        ([], True),
        (["--whip", WHIP], False),
        (["--whip", WHIP, "--server", "192.0.2.7"], True),
        (["--whip", WHIP, "--room", "Door"], True),
        (["--whip", WHIP, "--label", "door"], True),
    ],
)
def test_a_camera_that_goes_to_an_sfu_has_a_room_when_one_is_said(
    words: list[str], *, room: bool
) -> None:
    settings = start(*words)
    (camera,) = settings.cameras
    assert settings.has_room(camera) == room
    assert settings.addresses[0].port == 4545


def test_token_and_address_of_an_sfu_are_never_shown() -> None:
    settings = start("--whip", WHIP, PUBLISHER_WHIP_TOKEN="s3cret")
    assert settings.whip_token == "s3cret"
    assert "s3cret" not in repr(settings)
    assert "k3y" not in repr(settings)


def test_a_token_for_an_sfu_must_fit_into_a_header_and_have_a_use() -> None:
    for environ in ({"PUBLISHER_WHIP_TOKEN": "x"}, {"PUBLISHER_WHIP_TOKEN": "s3cret\r\nX: y"}):
        with pytest.raises(SettingsError) as caught:
            start(**environ)
        assert "s3cret" not in str(caught.value)


def test_a_malformed_address_of_an_sfu_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        start("--whip", "https://user:s3cret@sfu.example/whip")
    assert "s3cret" not in str(caught.value)


def test_a_token_above_the_tables_is_for_those_cameras_that_go_to_an_sfu(tmp_path: Path) -> None:
    file = tmp_path / "publisher.toml"
    file.write_text(
        '[[camera]]\nlabel = "door"\nsource = "test:"\n'
        f'[[camera]]\nlabel = "yard"\nsource = "test:"\nwhip = "{WHIP}"\n'
    )
    settings = start("--config", str(file), PUBLISHER_WHIP_TOKEN="s3cret")
    assert [c.whip_token for c in settings.cameras if c.whip] == ["s3cret"]


def test_cameras_that_go_to_sfus_need_no_labels_but_endpoints_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "publisher.toml"
    tables = [
        f'[[camera]]\nsource = "test:"\nwhip = "{WHIP}"\nwhip_token = "{token}"\n'
        for token in ("a", "b")
    ]
    file.write_text("".join(tables))
    assert len(start("--config", str(file)).cameras) == 2
    file.write_text(tables[0] * 2)
    with pytest.raises(SettingsError) as caught:
        start("--config", str(file))
    assert caught.value.code == "whip_twice"


# ── addresses of cameras ─────────────────────────────────────────────────────────────────────


def test_a_password_is_used_and_never_shown() -> None:
    for address in (
        Address.parse("rtsp://admin:s3cret@camera.lan:554/1?a=b"),
        Address.parse("rtsp://camera.lan:554/1?a=b", "admin", "s3cret"),
    ):
        assert address.secret_url == "rtsp://admin:s3cret@camera.lan:554/1?a=b"
        assert "s3cret" not in repr(address)
        assert address.shown == "rtsp://camera.lan:554/1"


def test_special_characters_of_a_password_survive() -> None:
    address = Address.parse("rtsp://camera.lan/1", "me@home", "p:a/s s?#@")
    assert address.secret_url == "rtsp://me%40home:p%3Aa%2Fs%20s%3F%23%40@camera.lan/1"


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://admin:s3c#ret@camera/stream",
        "rtsp://admin:s3c/ret@camera/stream",
        "rtsp://admin:s3c?ret@camera/stream",
        "rtsp://admin:s3cret@camera:port/stream",
        "s3cret@camera",
    ],
)
def test_an_address_that_is_misunderstood_is_not_repeated(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        Address.parse(text)
    assert "s3c" not in str(caught.value)


def test_a_password_in_path_or_query_is_not_shown() -> None:
    for text in ("rtsp://camera:554/user=admin_password=s3cret_channel=1", "rtsp://c/1?p=s3cret"):
        address = Address.parse(text)
        assert address.secret_url == text
        assert "s3cret" not in address.shown


def test_a_password_without_user_name_is_used() -> None:
    assert Address.parse("rtsp://:s3cret@camera/1").secret_url == "rtsp://:s3cret@camera/1"


def test_a_flag_that_is_not_known_hides_the_password_in_it() -> None:
    with pytest.raises(UsageError) as caught:
        start("--sorce", "rtsp://admin:s3cret@camera/1")
    assert "s3cret" not in str(caught.value)
    for word in ("rtsp://admin:s3cret@camera/1", "rtsp://admin:s3cret@camera/1?a=b"):
        with pytest.raises(UsageError) as caught:
            read_settings("startWebRTC", [word], {})
        assert "s3cret" not in str(caught.value)


def test_files_and_devices_and_the_test_camera_have_addresses() -> None:
    assert Address.parse("clip.mp4").scheme == "file"
    assert Address.parse("file:/tmp/clip.mkv").path == "/tmp/clip.mkv"
    device = Address.parse("v4l2:/dev/video0?size=1280x720&audio=hw:1")
    assert (device.path, device.options["audio"]) == ("/dev/video0", "hw:1")
    assert Address.parse("test:?fps=10").scheme == "test"


@pytest.mark.parametrize("text", ["", "gopher://camera/1", "rtsp:///1", "notes.txt", "rtsp://[::1"])
def test_a_source_that_is_none_says_what_to_write(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        Address.parse(text)
    assert isinstance(caught.value, PublisherError)
    assert caught.value.code in ("source_missing", "source_malformed")


def test_help_is_offered_by_both_forms(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("start", "startWebRTC"):
        with pytest.raises(SystemExit) as caught:
            read_settings(command, ["--help"], {})
        assert caught.value.code == 0
        assert "examples:" in capsys.readouterr().out


def test_usage_errors_are_usage_errors() -> None:
    with pytest.raises(UsageError) as caught:
        start("--no-such-flag")
    assert caught.value.exit_status == 64


def test_a_room_is_relay_only_when_its_camera_says_so(tmp_path: Path) -> None:
    """All cameras of the file, or one; in both forms of the command line."""
    assert start("--source", "test:").ice_policy is IcePolicy.ALL
    words = ["icePolicy=relay", "source=test:"]
    assert read_settings("startWebRTC", words, {}).ice_policy is IcePolicy.RELAY
    file = tmp_path / "publisher.toml"
    file.write_text(
        '[[camera]]\nroom = "door"\nsource = "test:"\nice_policy = "relay"\n'
        '[[camera]]\nroom = "yard"\nsource = "test:"\n'
    )
    cameras = start("--config", str(file)).cameras
    assert [camera.ice_policy for camera in cameras] == [IcePolicy.RELAY, IcePolicy.ALL]
    with pytest.raises(SettingsError):
        start("--source", "test:", "--ice-policy", "direct")


def test_media_may_be_kept_to_ports_and_interfaces() -> None:
    network = start("--udp-ports", "40000-40002", "--interfaces", "eth*, !docker*").network
    assert network.ports == range(40000, 40003)
    assert network.interfaces == ("eth*", "!docker*")
    words = [*EVOSTREAM, "udpPorts=40000-40002", "interfaces=eth*,!docker*"]
    assert read_settings("startWebRTC", words, {}).network == network
    assert start().network.ports is None


@pytest.mark.parametrize("ports", ["40000", "0-10", "40100-40000", "1-65536", "a-b"])
def test_what_is_no_range_of_ports_is_refused(ports: str) -> None:
    with pytest.raises(SettingsError, match="40000-40100"):
        start("--udp-ports", ports)
