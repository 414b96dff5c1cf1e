"""The machine: its files, replaced at once and readable by few, and its services."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from deploy.hosting.choices import Unusable
from deploy.hosting.files import WRITTEN

PUBLIC, PRIVATE, TURN_ONLY = 0o644, 0o600, 0o640


class Machine:
    """The machine, or a folder that shows what would be on it (``--root``)."""

    def __init__(self, root: Path, say: Callable[[str], None]) -> None:
        self._root = root
        self._say = say
        self._real = root == Path("/")
        self.changed: list[str] = []

    def read(self, path: str) -> str | None:
        """What the file holds, if there is one."""
        file = self._root / path
        return file.read_text(encoding="utf-8") if file.exists() else None

    def write(self, path: str, text: str, mode: int) -> None:
        """Replaces the file at once; ``TURN_ONLY`` is for coturn's group as well."""
        file = self._root / path
        if self.read(path) == text:
            self._give(file, mode)
            self._say(f"as it was  /{path}")
            return
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if mode == TURN_ONLY:
            self._require_way(path)
        if text.startswith(WRITTEN):
            self._keep(file)
        fresh = file.with_name(f".{file.name}.new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w") as out:
            out.write(text)
        self._give(fresh, mode)
        fresh.replace(file)
        self.changed.append(path)
        self._say(f"written    /{path}")

    def _require_way(self, path: str) -> None:
        """A key that coturn cannot reach has it go on without TLS, with no more than a warning."""
        for folder in list(Path(path).parents)[:-1]:
            if not (self._root / folder).stat().st_mode & 0o001:
                raise Unusable(f"coturn cannot enter /{folder}: say chmod o+x /{folder} first.")

    def _give(self, file: Path, mode: int) -> None:
        if self._real:
            _own(file, "turnserver" if mode == TURN_ONLY else "root")
        file.chmod(mode)

    def _keep(self, file: Path) -> None:
        """What a package or the operator had there before the first time."""
        if file.exists() and not file.read_text(encoding="utf-8").startswith(WRITTEN):
            shutil.copy2(file, file.with_name(f"{file.name}.before-porthole"))

    def service(self, *words: str) -> None:
        """Raises Unusable when systemctl does not do it; in a folder there are no services."""
        if not self._real:
            return
        self._say(f"systemctl  {' '.join(words)}")
        program = shutil.which("systemctl")
        if program is None:
            raise Unusable("There is no systemd here: start what it would with the files above.")
        if subprocess.run((program, *words), check=False).returncode:
            raise Unusable(f"systemctl {' '.join(words)} failed; see journalctl -u {words[-1]}.")


def _own(file: Path, group: str) -> None:
    try:
        shutil.chown(file, "root", group)
    except LookupError:
        raise Unusable(f"There is no group {group}: begin with deploy/setup host.") from None
