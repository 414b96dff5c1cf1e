"""What tests of every level share."""

import ssl
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.support.certificates import write_certificate

# Modules whose tests share a browser or a laboratory, and so a worker.
TOGETHER = ("tests/e2e/", "tests/lab/", "tests/integration/lab/test_browser.py")


# A busy machine is no slow test. Before any module is read: a test has the profile of that moment.
# Hypothesis's own for CI: no deadline, no health check of speed, the same examples in every run,
# and nothing on disk that workers would share.
hypothesis.settings.load_profile("ci")


class Grouped(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out such modules as a whole, the largest first, and everything else test by test.

    What xdist has for it, ``xdist_group``, does nothing with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.split("::", maxsplit=1)[0] if nodeid.startswith(TOGETHER) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Grouped:
    """With ``-n``."""
    return Grouped(config, log)


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
