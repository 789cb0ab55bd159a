"""Is a value in its key's range, and how is a range said? From the metadata that `settings.key` puts on a field.

Used for the settings, for the strategies' own parameters and for the documentation, so that all three say the same.
Pure. Invariant: a complaint names the value and what to give instead, in one line.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any

from actors.console.secrets import redact

LONGEST_BITS = 128
"""A longer whole number fits nothing here, and may be a key that was written without quotes."""


def shown(value: Any) -> str:
    """A value as the operator wrote it, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, dict) for one in value)):
        return "what stands there"  # a whole section may hold a key
    if isinstance(value, int) and value.bit_length() > LONGEST_BITS:
        return f"a number of {value.bit_length()} bits"
    text = redact(f'"{value}"' if isinstance(value, str) else repr(value))
    return text if len(text) <= 60 else text[:57] + "..."


def range_problem(value: Any, meta: Mapping[str, Any]) -> str:
    """ "-1 is out of range; give above 0 contracts"; empty when the value is in range."""
    if isinstance(value, str) and "\0" in value:
        return "holds a NUL character; leave it out"
    choices = meta.get("choices")
    if isinstance(choices, tuple) and choices and value not in choices:
        near = difflib.get_close_matches(str(value), choices, 1)
        return f"{shown(value)} is none of {', '.join(choices)}" + (
            f"; did you mean {near[0]}?" if near else "; choose one"
        )
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    if isinstance(value, int) and value.bit_length() > LONGEST_BITS:
        return "is far too large; give a smaller number"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is no finite number; give {range_words(meta)}"
    tests = (("low", value.__ge__), ("above", value.__gt__), ("high", value.__le__), ("below", value.__lt__))
    if all(meta.get(name) is None or test(meta[name]) for name, test in tests):
        return ""
    sign = "negative" if value < 0 and not _reaches_below_zero(meta) else "out of range"
    text = f"{value:g}" if isinstance(value, float) else shown(value)
    return f"{text} is {sign}; give {range_words(meta)}"


def _reaches_below_zero(meta: Mapping[str, Any]) -> bool:
    bounds = [meta[name] for name in ("low", "above") if meta.get(name) is not None]
    return any(isinstance(bound, (int, float)) and bound < 0 for bound in bounds)


def range_words(meta: Mapping[str, Any]) -> str:
    """A key's range in words, with its unit: "above 0 contracts", "0 or more, below 20000 bps of mid"."""
    parts = []
    for name, words in (
        ("low", "{:g} or more"),
        ("above", "above {:g}"),
        ("high", "at most {:g}"),
        ("below", "below {:g}"),
    ):
        if meta.get(name) is not None:
            parts.append(words.format(meta[name]))
    return f"{', '.join(parts) or 'a number'} {meta.get('unit', '')}".strip()
