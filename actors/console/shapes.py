"""From words and TOML values to typed settings, strictly: nothing is guessed, and every misfit is told at once.

Owns the one cattrs converter (for the file, for the pipe to a child process) and the reading of flag texts. Never looks
at the environment or the disk. Invariant: a value of the wrong type is refused and named, never converted (a bool is no
number, a number is no text), and the text of a secret is in no message.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, get_args, get_origin

import attrs
import cattrs
import msgspec
from cattrs.cols import list_structure_factory
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn

from actors.console.ranges import shown
from actors.console.secrets import Secret
from actors.console.settings import LimitSettings, MmpSettings, QuotingSettings, Settings

T = TypeVar("T")


@attrs.define
class FileShape(Settings):
    """What a file may hold: the settings, and the sections shared by its cells."""

    quoting: QuotingSettings = attrs.field(factory=QuotingSettings)
    limits: LimitSettings = attrs.field(factory=LimitSettings)
    mmp: MmpSettings = attrs.field(factory=MmpSettings)


class WrongType(ValueError):
    """A TOML value that does not fit; the text says what it is and what is wanted."""


def _is(value: Any) -> str:
    kinds = (
        (bool, "a switch"),
        (int, "a number"),
        (float, "a number"),
        (str, "text"),
        (list, "a list"),
        (dict, "a table"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), f"a {type(value).__name__}")


def _exactly(kinds: tuple[type, ...], wanted: str) -> Callable[[Any, Any], Any]:
    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise WrongType(f"{shown(value)} is {_is(value)}; give {wanted}")
        return value

    return hook


def _as_secret(value: Any, _: Any) -> Secret:
    if not isinstance(value, str):
        raise WrongType(f"is {_is(value)}; give text, in quotes")
    return Secret(value)


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list


def _is_dict(kind: Any) -> bool:
    return get_origin(kind) is dict


def _list_hook(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    inner = list_structure_factory(kind, converter)

    def hook(value: Any, _: Any) -> Any:
        if isinstance(value, dict):
            raise WrongType("is one table; write its heading with two brackets, as in [[cells]]")
        if not isinstance(value, list):
            raise WrongType(f"{shown(value)} is {_is(value)}; give a list, e.g. [{shown(value)}]")
        return inner(value, kind)

    return hook


def _numbers_by_name(value: Any, kind: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise WrongType(f"{shown(value)} is {_is(value)}; give a table, e.g. {{ name = 1.0 }}")
    for name, number in value.items():
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise WrongType(f"{name} = {shown(number)} is {_is(number)}; give a number")
    return {name: float(number) for name, number in value.items()}


def _table_hook(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    inner = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True)

    def hook(value: Any, _: Any) -> Any:
        if isinstance(value, list):
            raise WrongType("is a list; write its heading with single brackets, as in [venue]")
        if not isinstance(value, dict):
            raise WrongType(f"{shown(value)} is {_is(value)}; give a table")
        return inner(value, kind)

    return hook


def _build_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    converter.register_structure_hook_factory(attrs.has, _table_hook)
    converter.register_structure_hook_factory(_is_list, _list_hook)
    converter.register_structure_hook_func(_is_dict, _numbers_by_name)
    converter.register_structure_hook(bool, _exactly((bool,), "true or false"))
    converter.register_structure_hook(int, _exactly((int,), "a whole number"))
    numbers = _exactly((int, float), "a number")
    converter.register_structure_hook(float, lambda value, kind: float(numbers(value, kind)))
    converter.register_structure_hook(str, _exactly((str,), "text, in quotes"))
    converter.register_structure_hook(Secret, _as_secret)
    converter.register_unstructure_hook(Secret, Secret.reveal)
    return converter


_converter = _build_converter()


def structure(tree: dict[str, Any], kind: type[T]) -> T:
    """A tree that is known to fit, as objects."""
    return _converter.structure(tree, kind)


def problems(tree: dict[str, Any], where: str) -> list[str]:
    """Everything in a file's tree that is unknown or of the wrong type, a line each."""
    try:
        _converter.structure(tree, FileShape)
    except Exception as misfit:
        told = cattrs.transform_error(misfit, path="", format_exception=_in_words)
        return [_line(where, *entry.rsplit(" @ ", 1)) for told_once in told for entry in _each(told_once)]
    return []


_NEXT = "\x1e"
"""Between the misfits of one table, which cattrs reports as one."""


def _each(told: str) -> list[str]:
    words, _, path = told.rpartition(" @ ")
    return [f"{word} @ {path}" for word in words.split(_NEXT)]


def _in_words(misfit: BaseException, _: Any) -> str:
    if isinstance(misfit, ForbiddenExtraKeysError):
        known = [field.name for field in attrs.fields(misfit.cl)]
        return _NEXT.join(_unknown_key(name, known) for name in sorted(misfit.extra_fields))
    if isinstance(misfit, OverflowError):
        return "is too large; give a smaller number"
    return str(misfit) if isinstance(misfit, WrongType) else f"does not fit ({type(misfit).__name__})"


def _unknown_key(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1, 0.5)
    there_are = f"there are: {', '.join(known)}" if len(known) <= 10 else "see docs/configuration.md for those there are"
    return f"{name}\x1funknown key; " + (f"did you mean {near[0]}?" if near else there_are)


def _line(where: str, words: str, path: str) -> str:
    name, is_unknown, rest = words.rpartition("\x1f")
    path = path.strip(".")
    full = f"{path}.{name}".strip(".") if is_unknown else path
    unit = "" if is_unknown else unit_of(full)
    return f"{where}: {full}: {rest}" + (f" ({unit})" if unit else "")


# -- the tree of all keys


def key_paths(kind: Any = Settings, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every key as (dotted path, attrs field), sections walked; a cell's keys are under "cells[]"."""
    attrs.resolve_types(kind)
    for field in attrs.fields(kind):
        inner = get_args(field.type)[0] if get_origin(field.type) is list else field.type
        here = f"{path}.{field.name}".strip(".") + ("[]" if inner is not field.type and attrs.has(inner) else "")
        if attrs.has(inner):
            yield from key_paths(inner, here)
        else:
            yield here, field


def values(node: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every value in force as (dotted path, value, attrs field); cells are numbered."""
    for field in attrs.fields(type(node)):
        value = getattr(node, field.name)
        here = f"{path}.{field.name}".strip(".")
        if attrs.has(type(value)):
            yield from values(value, here)
        elif isinstance(value, list) and value and attrs.has(type(value[0])):
            for index, item in enumerate(value):
                yield from values(item, f"{here}[{index}]")
        else:
            yield here, value, field


_ALL_KEYS = dict(key_paths(FileShape))


def field_of(path: str) -> Any | None:
    """The attrs field at a dotted path like "cells[0].quoting.size", or None."""
    return _ALL_KEYS.get(re.sub(r"\[\d+\]", "[]", path)) or _ALL_KEYS.get(re.sub(r"\[\d+\]$", "", path))


def unit_of(path: str) -> str:
    field = field_of(path)
    return field.metadata.get("unit", "") if field is not None else ""


def plant(tree: dict[str, Any], steps: Sequence[str], value: Any) -> None:
    """Sets a value deep in an empty tree."""
    *outer, last = steps
    for step in outer:
        tree = tree.setdefault(step, {})
    tree[last] = value


# -- the texts of flags and environment


def read(kind: str, text: str) -> Any:
    """A flag's text as its value; ValueError in words that name the fix, without the flag's name."""
    return _READERS[kind](text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is no number; give one like 0.5") from None
    if not math.isfinite(value):
        raise ValueError(f"{shown(text)} is no finite number; give one like 0.5")
    return value


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is no whole number; give one like 3") from None


_UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(-?[\d.]+(?:e-?\d+)?)\s*([a-z]*)", text.strip().lower())
    if not found or found[2] not in _UNITS_S:
        raise ValueError(f"{shown(text)} is no time; give seconds, or 90s, 5m, 2h")
    return _number(found[1]) * _UNITS_S[found[2]]


def _words(text: str) -> list[str]:
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise ValueError("is empty; give one or several, separated by commas")
    return found


def _switch(text: str) -> bool:
    return text == "true"


_READERS: dict[str, Callable[[str], Any]] = {
    "text": lambda text: text.strip(),
    "number": _number,
    "whole": _whole,
    "seconds": _seconds,
    "switch": _switch,
    "words": _words,
    "numbers": lambda text: [_number(word) for word in _words(text)],
}


# -- to a child process


def encode(settings: Settings) -> bytes:
    """The settings as JSON with their secrets: for a child's private pipe only, never for a log or a disk."""
    return msgspec.json.encode(_converter.unstructure(settings))


def decode(text: bytes) -> Settings:
    return structure(msgspec.json.decode(text), Settings)
