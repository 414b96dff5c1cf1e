"""One frozen settings object per program, read once: flags before environment before file.

A program declares a ``msgspec.Struct`` whose fields are ``Annotated`` with ``option``; that one
declaration makes the command line, its help text, the environment variables and the TOML keys.
Nothing unknown is ignored: a misspelt key, variable or flag ends the program with a sentence.
"""

import argparse
import re
import tomllib
import types
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from rendezvous.program.errors import SettingsError, UsageError

S = TypeVar("S", bound=msgspec.Struct)


class Secret(str):
    """A text that must not appear in logs; ``str()`` and formatting still give it to its user."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class _Option(msgspec.Struct, frozen=True):
    help: str
    metavar: str
    on_command_line: bool


def option(text: str, *, metavar: str = "", on_command_line: bool = True) -> msgspec.Meta:
    """Describes a setting. Secrets stay off the command line, where every user can read them."""
    return msgspec.Meta(extra={"option": _Option(text, metavar, on_command_line)})


def load(
    kind: type[S],
    *,
    prefix: str,
    argv: Sequence[str],
    environ: Mapping[str, str],
    parser: argparse.ArgumentParser,
) -> S:
    """Settings from flags, then ``PREFIX_NAME`` variables, then the TOML file of ``--config``.

    The caller owns the parser (program name, description, examples); this adds the options.
    Raises UsageError or SettingsError. ``--help`` leaves through SystemExit as argparse does.
    """
    fields = _options(kind)
    parser.error = _usage_error  # type: ignore[method-assign]  # argparse's own way to change it
    parser.add_argument("--config", metavar="FILE", help="read settings from this TOML file")
    for name, (declared, about) in fields.items():
        if about.on_command_line:
            _add_flag(parser, name, declared, about)
    flags = {k: v for k, v in vars(parser.parse_args(argv)).items() if v is not None}
    variables = _from_environment(fields, prefix, environ)
    file = flags.pop("config", None) or environ.get(f"{prefix}_CONFIG")
    return convert({**(_from_file(Path(file)) if file else {}), **variables, **flags}, kind)


def convert(values: Mapping[str, Any], kind: type[S]) -> S:
    """Checks plain values against the declaration; raises SettingsError naming the setting."""
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    for name in values:
        if name not in known:
            raise SettingsError("setting_unknown", f"There is no setting '{name}'.", _known(known))
    try:
        return msgspec.convert(dict(values), kind, strict=False, dec_hook=_from_text)
    except msgspec.ValidationError as error:
        raise SettingsError("setting_invalid", f"{error}.".replace("$.", "")) from None


def secret_of(text: Secret | None, file: Path | None) -> str | None:
    """The secret itself, or the first line of its file; raises SettingsError without one there."""
    if text:
        return str(text)
    if file is None:
        return None
    try:
        lines = file.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        lines = []
    if not lines:
        raise SettingsError("secret_unreadable", f"There is no secret to read in {file}.")
    return lines[0]


def _known(names: Iterable[str]) -> str:
    return f"Known settings: {', '.join(sorted(names))}."


def _from_text(kind: type, value: Any) -> Any:
    if isinstance(value, str) and kind in (Secret, Path):
        return kind(value)
    raise msgspec.ValidationError(f"Expected a text, got {type(value).__name__}")


def _options(kind: type[msgspec.Struct]) -> dict[str, tuple[Any, _Option]]:
    found: dict[str, tuple[Any, _Option]] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        for note in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
            if isinstance(note, msgspec.Meta) and note.extra and "option" in note.extra:
                found[name] = (get_args(hint)[0], note.extra["option"])
    return found


def _is_list(declared: Any) -> bool:
    return get_origin(declared) in (tuple, list)


def _is_flag(declared: Any) -> bool:
    if get_origin(declared) in (types.UnionType, Union):
        return bool in get_args(declared)
    return declared is bool


def _add_flag(parser: argparse.ArgumentParser, name: str, declared: Any, about: _Option) -> None:
    flag = f"--{name.replace('_', '-')}"
    if _is_flag(declared):
        action: Any = argparse.BooleanOptionalAction
        parser.add_argument(flag, action=action, default=None, help=about.help)
    elif _is_list(declared):
        parser.add_argument(
            flag, action="append", default=None, metavar=about.metavar or None, help=about.help
        )
    else:
        parser.add_argument(flag, default=None, metavar=about.metavar or None, help=about.help)


def _from_environment(
    fields: Mapping[str, tuple[Any, _Option]], prefix: str, environ: Mapping[str, str]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, value in environ.items():
        if not variable.startswith(f"{prefix}_") or variable == f"{prefix}_CONFIG":
            continue
        name = variable.removeprefix(f"{prefix}_").lower()
        if name not in fields:
            known = (f"{prefix}_{field.upper()}" for field in fields)
            raise SettingsError(
                "setting_unknown", f"There is no setting behind '{variable}'.", _known(known)
            )
        values[name] = value.split() if _is_list(fields[name][0]) else value
    return values


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            "config_unreadable", f"Cannot read the settings file {path}: {error.strerror}."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError("config_malformed", f"{path} is not valid TOML: {error}.") from None


def _usage_error(message: str) -> NoReturn:
    unseen = re.sub(r"://\S*@", "://…@", message)  # argparse quotes; an address has passwords
    raise UsageError("usage", f"{unseen}.", "See --help.")
