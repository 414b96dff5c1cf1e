"""Where the laboratory cannot be, it says what is missing."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.lab import namespaces


def test_it_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root" in namespaces.missing()


def test_it_needs_iproute2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert "iproute2" in namespaces.missing()


def test_it_needs_tun_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _: "/sbin/ip")
    monkeypatch.setattr(namespaces, "TUN", str(tmp_path / "tun"))
    assert "tun" in namespaces.missing()


def test_only_namespaces_of_processes_that_are_gone_are_left_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(namespaces, "_RUN", tmp_path)
    for name in (f"porthole-lab-{os.getpid()}-camera", "porthole-lab-4194305-camera", "other"):
        (tmp_path / name).touch()
    assert namespaces.stale() == ["porthole-lab-4194305-camera"]
