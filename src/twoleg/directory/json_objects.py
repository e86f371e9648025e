"""JSON objects that clients keep with their things: bounded, and changed by merging."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

MAX_BYTES: Final = 8192
MAX_DEPTH: Final = 8


def storable(text: str) -> bool:
    """Tell whether PostgreSQL can keep `text`: no NUL, and no lone surrogates."""
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def checked(value: dict[str, Any]) -> dict[str, Any]:
    """Return `value` if it can be kept; raises ValueError that says why not."""
    _check(value, MAX_DEPTH)
    if len(json.dumps(value, allow_nan=False)) > MAX_BYTES:
        raise ValueError(f"may take {MAX_BYTES} bytes as JSON at most")
    return value


def _check(value: Any, left: int) -> None:
    if left < 0:
        raise ValueError(f"may be nested {MAX_DEPTH} deep at most")
    if isinstance(value, dict):
        for name, each in value.items():
            _check(name, left)
            _check(each, left - 1)
    elif isinstance(value, list):
        for each in value:
            _check(each, left - 1)
    elif isinstance(value, str) and not storable(value):
        raise ValueError("holds characters that cannot be stored")


def merged(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return `target` as `patch` changes it: null removes a name (RFC 7396 2)."""
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            there = result.get(name)
            result[name] = merged(there if isinstance(there, dict) else {}, value)
        else:
            result[name] = value
    return result
