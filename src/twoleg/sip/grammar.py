"""What the values of headers are written with: tokens, quoted strings, parameters, lists."""

from __future__ import annotations

import re

from twoleg.sip.errors import InvalidValue
from twoleg.sip.uri import MAX_PARAMETERS, Parameters

MAX_VALUES = 256
"""Values in one line of a header."""

TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+").fullmatch
"""Matches a token (RFC 3261 25.1)."""

BLANKS = " \t"
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_NEEDS_ESCAPE = re.compile(r'(["\\\x01-\x08\x0b\x0c\x0e-\x1f\x7f])')
_NEXT_OF = {",": re.compile('[",<]').search, ";": re.compile('[";<]').search}
_NEVER_IN_QUOTES = re.compile(r"[\r\n\0]")


def parse_integer(text: str, maximum: int, kind: str) -> int:
    """Read 1*DIGIT of at most `maximum`.

    Raises InvalidValue of the given kind.
    """
    # Python refuses to read thousands of digits, and isdigit() knows digits beyond ASCII.
    if not (text.isascii() and text.isdigit()) or len(text.lstrip("0")) > 20:
        raise InvalidValue(kind, "it is no number, or one too large")
    number = int(text)
    if number > maximum:
        raise InvalidValue(kind, "its number is too large")
    return number


def parse_parameters(text: str, kind: str) -> Parameters:
    """Read `name[=value];...`: names in lower case, quoted values without quotes and escapes.

    Blanks around names and values are left out, and so is one empty parameter at the end, as
    some phones write it.

    Raises InvalidValue of the given kind.
    """
    items = text.split(";") if '"' not in text else split_outside_quotes(text, ";")
    if len(items) > MAX_PARAMETERS:
        raise InvalidValue(kind, "it has too many parameters")
    if items and not items[-1].strip(BLANKS):
        del items[-1]
    parameters: list[tuple[str, str | None]] = []
    for item in items:
        name, equals, value = item.partition("=")
        name = name.strip(BLANKS)
        if not TOKEN(name):
            raise InvalidValue(kind, "the name of a parameter is no token")
        if not equals:
            parameters.append((name.lower(), None))
            continue
        value = value.strip(BLANKS)
        if value.startswith('"'):
            value, rest = take_quoted(value)
            if rest:
                raise InvalidValue(kind, "something follows a quoted value")
        elif '"' in value or "," in value:
            raise InvalidValue(kind, "a value needs quotes")
        parameters.append((name.lower(), value))
    return tuple(parameters)


def format_parameters(parameters: Parameters) -> str:
    """Write parameters with their leading semicolons; values that are no token are quoted."""
    text = ""
    for name, value in parameters:
        if value is None:
            text += f";{name}"
        elif TOKEN(value) or _is_bare_host(value):
            text += f";{name}={value}"
        else:
            text += f";{name}={quote(value)}"
    return text


def find_parameter(parameters: Parameters, name: str) -> str | None:
    """The value of the parameter `name`; "" if it is there without a value; None if it is not."""
    for key, value in parameters:
        if key == name:
            return value or ""
    return None


def quote(text: str) -> str:
    """Write `text` as a quoted-string (RFC 3261 25.1).

    Line ends, which it cannot hold, become blanks, and so do nulls, which many end a text at.
    """
    if not text.isprintable() or "\\" in text or '"' in text:
        text = _NEEDS_ESCAPE.sub(r"\\\1", _NEVER_IN_QUOTES.sub(" ", text))
    return f'"{text}"'


def end_of_quoted(text: str, start: int) -> int:
    """Give the place behind the quoted string that begins at `start`.

    Raises InvalidValue if it is left open.
    """
    position = start + 1
    while True:
        end = text.find('"', position)
        if end < 0:
            raise InvalidValue("quoted string", "it is not closed")
        backslashes = 0
        while text[end - 1 - backslashes] == "\\" and end - 1 - backslashes > start:
            backslashes += 1
        if backslashes % 2 == 0:
            return end + 1
        position = end + 1


def split_values(text: str) -> list[str]:
    """Split a header value at the commas outside quotes and angle brackets.

    Raises InvalidValue if a quote is left open, or there are more than MAX_VALUES.
    """
    if "," not in text:
        return [text]
    plain = '"' not in text and "<" not in text
    values = text.split(",") if plain else split_outside_quotes(text, ",")
    if len(values) > MAX_VALUES:
        raise InvalidValue("list", "it has too many values")
    return [value.strip(BLANKS) for value in values]


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """Split at "," or ";" where it stands outside quoted strings and angle brackets.

    Raises InvalidValue if a quote is left open.
    """
    next_of = _NEXT_OF[separator]
    values: list[str] = []
    start = position = 0
    while (found := next_of(text, position)) is not None:
        place = found.start()
        character = text[place]
        if character == '"':
            position = end_of_quoted(text, place)
        elif character == "<":
            position = text.find(">", place) + 1 or len(text)
        else:
            values.append(text[start:place])
            start = position = place + 1
    values.append(text[start:])
    return values


def take_quoted(text: str) -> tuple[str, str]:
    """Read the quoted string that a text begins with; give it, and what follows it.

    Raises InvalidValue if it is left open.
    """
    end = end_of_quoted(text, 0)
    content = text[1 : end - 1]
    if "\\" in content:
        content = _QUOTED_PAIR.sub(r"\1", content)
    return content, text[end:].lstrip(BLANKS)


def _is_bare_host(value: str) -> bool:
    # IPv6 addresses in `received` and `maddr`, and URIs in contact parameters of old phones.
    return bool(value) and all(character in "0123456789abcdefABCDEF:.[]" for character in value)
