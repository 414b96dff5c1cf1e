"""``systemctl`` where systemd does not run: reads the real units, and runs what they say.

``python -m tests.support.units VERB [UNIT]``. Of a unit it knows ExecStart, ExecReload, User,
AmbientCapabilities, Environment, EnvironmentFile, LoadCredential and StateDirectory, with drop-ins.
DynamicUser is root here: nobody else may reach a Python in somebody's home. What runs is written
down in /run, which is the test's own.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PLACES = (Path("/etc/systemd/system"), Path("/lib/systemd/system"))
_RUN = Path("/run/units")
_STEP = 0.02
_PATIENCE = 60.0  # seconds for a program to end

Lines = dict[str, list[str]]


class Unit:
    """One service."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lines = _read(name)
        self._pid = _RUN / f"{name}.pid"
        self._credentials = _RUN / f"{name}.credentials"

    @property
    def pid(self) -> int | None:
        """Of the program, while it runs."""
        try:
            pid = int(self._pid.read_text())
            state = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it may end between two looks
            return None
        # An orphan that has ended is a zombie until somebody asks.
        return None if state.rpartition(")")[2].split()[0] == "Z" else pid

    def start(self) -> None:
        """Runs ExecStart, unless it does already."""
        if self.pid is None:
            user = self._last("User", "root")
            environment = self._environment(user)
            command = self._command(self._last("ExecStart"), environment)
            with self._notified() as socket_path, (_RUN / f"{self.name}.log").open("ab") as log:
                process = subprocess.Popen(
                    (*self._as(user), *command),
                    env={**environment, "NOTIFY_SOCKET": socket_path},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                self._pid.write_text(str(process.pid))

    @contextmanager
    def _notified(self) -> Iterator[str]:
        """Waits in the end until the program has said that it is ready, if it is one that does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
            path = _RUN / f"{self.name}.notify"
            path.unlink(missing_ok=True)
            heard.bind(str(path))
            path.chmod(0o777)
            heard.settimeout(_PATIENCE)
            yield str(path)
            while self._last("Type") == "notify" and b"READY=1" not in heard.recv(4096):
                pass

    def stop(self) -> None:
        """SIGTERM, and waits until it has ended."""
        end = time.monotonic() + _PATIENCE
        pid = self.pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        while self.pid is not None:
            assert time.monotonic() < end, f"{self.name} does not end"
            time.sleep(_STEP)

    def reload(self) -> None:
        """Runs each ExecReload; raises CalledProcessError."""
        environment = {**self._environment("root"), "MAINPID": str(self.pid)}
        for line in self._lines["ExecReload"]:
            subprocess.run(self._command(line, environment), check=True)

    @property
    def reloads(self) -> bool:
        """Whether it can do so while it runs."""
        return self.pid is not None and bool(self._lines["ExecReload"])

    def _last(self, key: str, otherwise: str = "") -> str:
        return self._lines[key][-1] if self._lines[key] else otherwise

    def _as(self, user: str) -> tuple[str, ...]:
        if user == "root":
            return ()
        allowed = [c.lower() for c in self._lines["AmbientCapabilities"]]
        kept = ",".join(f"+{name.removeprefix('cap_')}" for name in allowed) or "-all"
        capabilities = (f"--inh-caps={kept}", f"--ambient-caps={kept}")
        return ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *capabilities)

    def _environment(self, user: str) -> dict[str, str]:
        said = dict(
            pair.split("=", 1)
            for line in self._lines["Environment"]
            for pair in shlex.split(self._specified(line))
        )
        for line in self._lines["EnvironmentFile"]:
            file = Path(line.removeprefix("-"))
            texts = file.read_text().splitlines() if file.exists() else []
            said |= dict(text.split("=", 1) for text in texts if re.match(r"[A-Z_]+=", text))
        state = _RUN / f"{self.name}.state"
        self._load_credentials(user)
        _own_folder(state, user)
        return {"PATH": os.environ["PATH"], "STATE_DIRECTORY": str(state), **said}

    def _load_credentials(self, user: str) -> None:
        _own_folder(self._credentials, user)
        for line in self._lines["LoadCredential"]:
            name, path = line.split(":", 1)
            shutil.copy(path, self._credentials / name)
            shutil.chown(self._credentials / name, user)

    def _command(self, line: str, environment: dict[str, str]) -> list[str]:
        words = []
        for word in shlex.split(self._specified(line)):
            known = environment.get(word[1:]) if word.startswith("$") else None
            words += [word] if known is None else known.split()
        return words

    def _specified(self, line: str) -> str:
        return line.replace("%d", str(self._credentials))


def _own_folder(folder: Path, user: str) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    shutil.chown(folder, user)


def _read(name: str) -> Lines:
    lines: Lines = defaultdict(list)
    main = next(p / f"{name}.service" for p in _PLACES if (p / f"{name}.service").exists())
    more = sorted((_PLACES[0] / f"{name}.service.d").glob("*.conf"))
    for file in (main, *more):
        for key, value in re.findall(r"^(\w+)=(.*)$", file.read_text(), re.MULTILINE):
            lines[key].append(value)
    return lines


def main(verb: str, name: str = "") -> None:
    """As systemctl does it."""
    _RUN.mkdir(exist_ok=True)
    mask = _PLACES[0] / f"{name}.service"
    if verb == "unmask" and mask.is_symlink():
        mask.unlink()
    if verb in ("daemon-reload", "unmask"):
        return
    unit = Unit(name)
    if verb in ("stop", "restart") or (verb == "reload-or-restart" and not unit.reloads):
        unit.stop()
    if verb in ("start", "restart", "reload-or-restart") and unit.pid is None:
        unit.start()
    elif verb in ("reload", "reload-or-restart"):
        unit.reload()
    else:
        assert verb in ("enable", "start", "stop"), f"systemctl {verb} is not known here"


if __name__ == "__main__":
    main(*sys.argv[1:])
