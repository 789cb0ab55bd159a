"""Checks JSON against the published shape of Derive's v3 API (`derive-v3-schema.json`), fields and types."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest

SCHEMA = Path(__file__).parents[4] / "shared" / "reference" / "derive-v3-schema.json"
needs_schema = pytest.mark.skipif(not SCHEMA.exists(), reason="the v3 schema is not beside this repository")


class V3Schema:
    def __init__(self) -> None:
        loaded = json.loads(SCHEMA.read_text())
        self.methods: dict[str, dict[str, str]] = loaded["methods"]
        self.types: dict[str, dict[str, Any]] = loaded["types"]
        self.channels: dict[str, dict[str, Any]] = loaded["channels"]

    def check_result(self, method: str, result: Any) -> list[str]:
        return self.check(self.methods[method]["result"], result, method)

    def check(self, wanted: str, value: Any, where: str) -> list[str]:
        """What is wrong with a value of this type, as lines; empty when nothing is."""
        wanted = wanted.strip()
        if wanted.endswith("|null"):
            return [] if value is None else self.check(wanted.removesuffix("|null"), value, where)
        inner = re.fullmatch(r"(array|map)<(.*)>", wanted)
        if inner:
            return self._check_all(inner[1], inner[2], value, where)
        if wanted in self.types:
            return self._check_type(wanted, value, where)
        fits = {
            "string": lambda: isinstance(value, str),
            "decimal": lambda: isinstance(value, str) and is_decimal(value),
            "int": lambda: isinstance(value, int) and not isinstance(value, bool),
            "bool": lambda: isinstance(value, bool),
            "any": lambda: True,
        }[wanted]
        return [] if fits() else [f"{where}: {value!r} is no {wanted}"]

    def _check_all(self, shape: str, inner: str, value: Any, where: str) -> list[str]:
        if shape == "array":
            if not isinstance(value, list):
                return [f"{where}: {value!r} is no array"]
            return [line for n, one in enumerate(value) for line in self.check(inner, one, f"{where}[{n}]")]
        if not isinstance(value, dict):
            return [f"{where}: {value!r} is no map"]
        return [line for key, one in value.items() for line in self.check(inner, one, f"{where}.{key}")]

    def _check_type(self, name: str, value: Any, where: str) -> list[str]:
        shape = self.types[name]
        if "enum" in shape:
            return [] if value in shape["enum"] else [f"{where}: {value!r} is no {name}"]
        if not isinstance(value, dict):
            return [f"{where}: {value!r} is no {name}"]
        fields = {field.rstrip("?"): (kind, field.endswith("?")) for field, kind in shape["fields"].items()}
        if "{key}" in fields:
            return [line for key, one in value.items() for line in self.check(fields["{key}"][0], one, f"{where}.{key}")]
        wrong = [f"{where}: {key} is missing" for key, (_, absent) in fields.items() if key not in value and not absent]
        for key, one in value.items():
            if key not in fields:
                wrong.append(f"{where}: {key} is unknown to {name}")
            else:
                wrong += self.check(fields[key][0], one, f"{where}.{key}")
        return wrong


def is_decimal(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False
