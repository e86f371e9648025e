"""What a client asks for: the fields of a call request, read the way the contract reads them.

The rules and the texts are those of the original service (a Laravel 8 validator): strings are
trimmed, an empty string and null are missing (an empty list too, where something is required), an
id may be a number or a string of digits, and a field with one error gets no second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from twoleg.sip.values import immutable

INVALID_DATA: Final = "The given data was invalid."
MAX_ID: Final = 2**63 - 1
# Longer than any number that is written with blanks, brackets and an extension.
MAX_PHONE_NUMBER_TEXT: Final = 64
# PHP writes larger floats with an exponent, which is no integer any more.
MAX_INTEGRAL_FLOAT: Final = 10**15
_BLANK: Final = " \t\n\r\v\f\0"
_INTEGER: Final = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,18})", re.ASCII)

# The order in which the fields stand in a refusal.
FIELDS: Final = (
    "contact_phone_number",
    "contact_id",
    "line_phone_number",
    "line_id",
    "user_id",
    "ring_group_id",
    "user_phone_number",
)

Errors = dict[str, list[str]]


@immutable(kw_only=True)
class CallRequest:
    """A call that is asked for; `errors` holds what could be told wrong without the database.

    Phone numbers are still as the client wrote them. A field with an error is None.
    """

    user_id: int | None = None
    ring_group_id: int | None = None
    contact_id: int | None = None
    line_id: int | None = None
    user_phone_number: str | None = None
    contact_phone_number: str | None = None
    line_phone_number: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    callback_url: str | None = None
    idempotency_key: str | None = None
    errors: Errors = field(default_factory=dict)


def present(fields: Mapping[str, Any], name: str) -> Any:
    """Return the trimmed value of `name`, None where it counts as missing."""
    value = fields.get(name)
    if isinstance(value, str):
        return value.strip(_BLANK) or None
    return value


def integer(value: Any) -> int | None:
    """Return `value` as the integer that it stands for, None where it stands for none.

    PHP's filter takes a value for what it is as text: true is "1", false is "".
    """
    if isinstance(value, bool):
        return 1 if value else None
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value):
            return None
        value = int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_INTEGRAL_FLOAT:
        value = int(value)
    if isinstance(value, int) and -MAX_ID <= value <= MAX_ID:
        return value
    return None


def in_order(errors: Mapping[str, list[str]]) -> Errors:
    """Return `errors` in the order of the contract, others behind."""
    ordered = {name: errors[name] for name in FIELDS if name in errors}
    return ordered | {name: errors[name] for name in errors if name not in ordered}


def not_a_phone_number(name: str) -> list[str]:
    """Return the error of a number that is none."""
    return [f"The {name} field must be a valid phone number."]


def selected_is_invalid(name: str) -> list[str]:
    """Return the error of an id or number that the account does not have."""
    return [f"The selected {name} is invalid."]


def read_call_request(
    fields: Mapping[str, Any],
    *,
    options: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    callback_url: str | None = None,
) -> CallRequest:
    """Read the contract's fields; what else `fields` holds is not looked at."""
    errors: Errors = {}
    values = {name: present(fields, name) for name in FIELDS}
    _require_one_of(values, "contact_phone_number", "contact_id", errors)
    _require_one_of(values, "line_phone_number", "line_id", errors)
    if _is_empty(values["user_id"]):
        if _is_empty(values["ring_group_id"]):
            errors["user_id"] = ["The user_id field is required."]
        elif values["user_phone_number"] is not None:
            errors["user_id"] = ["The user_id field is required when user_phone_number is present."]
    return CallRequest(
        user_id=_read_id(values, "user_id", errors),
        ring_group_id=_read_id(values, "ring_group_id", errors),
        contact_id=_read_id(values, "contact_id", errors),
        line_id=_read_id(values, "line_id", errors),
        user_phone_number=_read_phone_number(values, "user_phone_number", errors),
        contact_phone_number=_read_phone_number(values, "contact_phone_number", errors),
        line_phone_number=_read_phone_number(values, "line_phone_number", errors),
        options=options or {},
        metadata=metadata or {},
        callback_url=callback_url,
        errors=errors,
    )


def _require_one_of(values: Mapping[str, Any], one: str, other: str, errors: Errors) -> None:
    if _is_empty(values[one]) and _is_empty(values[other]):
        errors[one] = [f"The {one} field is required when {other} is empty."]
        errors[other] = [f"The {other} field is required when {one} is empty."]


def _is_empty(value: Any) -> bool:
    """Tell whether a required value is missing: PHP reads {} as the empty list that [] is."""
    return value is None or value == [] or value == {}


def _read_id(values: Mapping[str, Any], name: str, errors: Errors) -> int | None:
    value = values[name]
    if value is None:
        return None
    number = integer(value)
    if number is None and name not in errors:
        errors[name] = [f"The {name} must be an integer."]
    return number


def _read_phone_number(values: Mapping[str, Any], name: str, errors: Errors) -> str | None:
    value = values[name]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_ID:
        value = str(value)
    if value is None or (isinstance(value, str) and len(value) <= MAX_PHONE_NUMBER_TEXT):
        return value
    errors.setdefault(name, not_a_phone_number(name))
    return None
