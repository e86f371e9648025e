"""Texts with variables: "Hello {name}, your appointment is {date} at {time}."."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Variable(StrEnum):
    """What a text may name."""

    NAME = "name"
    DATE = "date"
    TIME = "time"
    PLACE = "place"
    STAFF = "staff"


class TemplateError(ValueError):
    """A text that cannot be filled in; `message` says why, and what would do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


_BRACES: Final = re.compile(r"\{([^{}]*)\}|[{}]")
_KNOWN: Final = ", ".join(f"{{{each}}}" for each in Variable)


@dataclass(frozen=True, slots=True)
class Template:
    """A text that was checked."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Template:
        """Check a text. Raises TemplateError."""
        for found in _BRACES.finditer(text):
            name = found.group(1)
            if name is None:
                raise TemplateError(f"holds a brace without its other half; variables are {_KNOWN}")
            if name.strip() not in set(Variable):
                raise TemplateError(f"names {{{name}}}, which is none of {_KNOWN}")
        return cls(text)

    @property
    def has_variables(self) -> bool:
        """Tell whether it says something else for each call."""
        return _BRACES.search(self.text) is not None

    def filled(self, values: Mapping[Variable, str | None]) -> str:
        """Return the text with the values in place; one that is not known is left out."""

        def value(found: re.Match[str]) -> str:
            return values.get(Variable(found.group(1).strip())) or ""

        return " ".join(_BRACES.sub(value, self.text).split())
