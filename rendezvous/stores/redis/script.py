"""A Lua script: one step that nothing comes between."""

import hashlib
from pathlib import Path

from rendezvous.stores.redis.client import Command


class Script:
    """Its first argument is the call's nonce, which comes back first; every reply is a list.

    All of a script's keys are declared, and are in one slot of a Cluster.
    """

    def __init__(self, path: Path) -> None:
        self._text = path.read_text(encoding="utf-8")
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()
        self.name = path.stem

    def by_hash(self, keys: tuple[str, ...], arguments: Command) -> Command:
        """The command for a server that knows the script."""
        return ("EVALSHA", self._sha, len(keys), *keys, *arguments)

    def by_text(self, keys: tuple[str, ...], arguments: Command) -> Command:
        """The command for one that does not; from then on it does."""
        return ("EVAL", self._text, len(keys), *keys, *arguments)
