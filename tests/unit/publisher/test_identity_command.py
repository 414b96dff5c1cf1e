"""``publisher identity``: what it prints, what it never prints, and that a backup restores all."""

import io
import stat
import sys
from pathlib import Path

import pytest

from publisher import identity_command
from publisher.identity import IdentityError, Keyring
from rendezvous.program.errors import ProgramError, UsageError

ENCRYPTED = {"PUBLISHER_PASSPHRASE": "correct horse"}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    keyring = Keyring(tmp_path / "state")
    keyring.viewer_secret(keyring.camera_key().room("yard"))
    keyring.viewer_secret("Door")
    return tmp_path / "state"


def run(action: str, *words: str, state: Path, **environ: str) -> None:
    identity_command.run([action, *words, "--state", str(state)], environ)


def code_of(action: str, *words: str, state: Path, **environ: str) -> str:
    with pytest.raises(ProgramError) as caught:
        run(action, *words, state=state, **environ)
    return caught.value.code


def test_show_tells_who_the_camera_is_and_no_secret(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("show", "--label", "yard", "--server", "watch.example.org", state=state)
    out = capsys.readouterr().out
    key = Keyring(state).camera_key()
    assert f"key:{key.owner}" in out
    assert f"http://watch.example.org:4545/#{key.room('yard')}.…" in out
    assert not any(secret in out for secret in Keyring(state).viewer_secrets().values())


def test_show_prints_whole_links_when_asked(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("show", "--room", "Door", "--secrets", state=state)
    assert f"#Door.{Keyring(state).viewer_secret('Door')}" in capsys.readouterr().out


def test_show_knows_all_cameras_of_the_settings_file(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "publisher.toml"
    file.write_text('[[camera]]\nroom = "Door"\n[[camera]]\nroom = "New"\n')
    run("show", "--config", str(file), "--secrets", state=state)
    out = capsys.readouterr().out
    assert "#Door." in out
    assert "made when the camera is first started" in out
    assert "New" not in Keyring(state).viewer_secrets()


def test_nothing_makes_a_new_identity_by_mistake(tmp_path: Path) -> None:
    for action in ("show", "export", "rotate"):
        assert code_of(action, state=tmp_path / "elsewhere", **ENCRYPTED) == "key_missing"
    assert not (tmp_path / "elsewhere" / "camera.key").exists()


@pytest.mark.parametrize("clear", [True, False])
def test_a_backup_restores_key_chain_and_links_on_another_device(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, clear: bool
) -> None:
    run("rotate", state=state)
    backup = tmp_path / "camera.backup"
    words, environ = (["--clear"], {}) if clear else ([], ENCRYPTED)
    run("export", "--to", str(backup), *words, state=state, **environ)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert ("not encrypted" in capsys.readouterr().err) is clear
    run("restore", "--from", str(backup), state=tmp_path / "new", **environ)
    old, new = Keyring(state), Keyring(tmp_path / "new")
    assert new.camera_key().chain == old.camera_key().chain != ()
    assert new.camera_key().spki == old.camera_key().spki
    assert new.viewer_secrets() == old.viewer_secrets() != {}


def test_a_backup_goes_through_pipes(
    state: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run("export", state=state, **ENCRYPTED)
    text = io.TextIOWrapper(io.BytesIO(capsys.readouterr().out.encode()))
    monkeypatch.setattr(sys, "stdin", text)
    run("restore", state=tmp_path / "new", **ENCRYPTED)
    assert Keyring(tmp_path / "new").camera_key().spki == Keyring(state).camera_key().spki


def test_wrong_backups_are_refused_with_a_sentence(state: Path, tmp_path: Path) -> None:
    backup, rubbish = tmp_path / "camera.backup", tmp_path / "rubbish"
    rubbish.write_text("rubbish")
    run("export", "--to", str(backup), state=state, **ENCRYPTED)
    new = tmp_path / "new"

    def refused(file: Path, passphrase: str = "x") -> str:
        return code_of("restore", "--from", str(file), state=new, PUBLISHER_PASSPHRASE=passphrase)

    assert refused(backup, "wrong") == "passphrase_wrong"
    assert refused(backup, "") == "passphrase_missing"
    assert refused(rubbish) == "backup_malformed"
    assert refused(tmp_path / "nowhere") == "backup_unreadable"
    assert code_of("export", "--to", str(backup), state=state, **ENCRYPTED) == "backup_unwritable"
    assert not (new / "camera.key").exists()


def test_rotate_says_that_it_revokes_nothing(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Keyring(state).camera_key()
    run("rotate", state=state)
    out, err = capsys.readouterr()
    assert f"key:{before.owner}" in out
    assert "1 of 8" in out
    assert "revokes nothing" in err
    assert Keyring(state).camera_key().spki != before.spki


@pytest.mark.parametrize("words", [[], ["--help"], ["rotate", "--help"], ["help"]])
def test_help_shows_examples_and_what_rotation_does_not_do(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    identity_command.run(words, {})
    out = capsys.readouterr().out
    assert "examples:" in out
    assert "revokes nothing" in out


@pytest.mark.parametrize("words", [["shout"], ["export", "--to"]])
def test_what_is_not_understood_is_said(words: list[str]) -> None:
    with pytest.raises(UsageError, match="--help"):
        identity_command.run(words, {})


def test_a_key_that_cannot_be_read_is_an_identity_error(state: Path) -> None:
    (state / "camera.key").write_text("not a key")
    with pytest.raises(IdentityError):
        run("show", state=state)
