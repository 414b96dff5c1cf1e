"""Whatever a doctor may say is looked up somewhere: every code is in docs/doctor.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
MANUALS = (ROOT / "docs/doctor.md", ROOT / "PROTOCOL.md")
SAID = ("fault", "warning", "note")


def codes_of(file: Path) -> Iterator[str]:
    """What is said of troubles there, and what else is worth knowing."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SAID and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant):
                yield str(first.value)


def known() -> str:
    """The manuals' texts."""
    return "".join(manual.read_text(encoding="utf-8") for manual in MANUALS)


def test_the_manual_knows_all_codes_of_both_doctors() -> None:
    folders = ("publisher/doctor", "rendezvous/doctor", "rendezvous/probes")
    files = [file for folder in folders for file in (ROOT / folder).glob("*.py")]
    said = {code for file in files for code in codes_of(file)}
    assert len(said) > 40
    assert not {code for code in said if f"`{code}`" not in known()}


def test_the_manual_knows_all_codes_of_the_page() -> None:
    text = (ROOT / "player/check/judges.js").read_text(encoding="utf-8")
    said = set(re.findall(rf"(?:{'|'.join(SAID)})\(\s*'(\w+)'", text))
    assert len(said) > 20
    assert not {code for code in said if f"`{code}`" not in known()}
