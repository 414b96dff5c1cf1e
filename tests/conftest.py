"""What tests of every level share."""

import ssl
from pathlib import Path

import pytest

from tests.support.certificates import write_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and localhost, with its key, in one PEM file."""
    path = tmp_path_factory.mktemp("tls") / "cert.pem"
    write_certificate(path)
    return path


@pytest.fixture(scope="session")
def client_tls(certificate: Path) -> ssl.SSLContext:
    """A client that trusts that certificate."""
    return ssl.create_default_context(cafile=str(certificate))
