"""The rules of admission: what was found for a request makes it a call or a refusal. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from twoleg.calls.destinations import Destination, Refusal, destination
from twoleg.calls.requests import (
    CallRequest,
    Errors,
    in_order,
    not_a_phone_number,
    selected_is_invalid,
)
from twoleg.directory.contact_zone import contact_zone
from twoleg.directory.quiet_hours import QuietHours
from twoleg.directory.wall_clock import wall_of

# What can be a number, as long as nobody knows the country that it is dialled in.
_PERHAPS_A_NUMBER: Final = re.compile(r"\(*[0-9][0-9 ().\-/]{3,}", re.ASCII)
_AVAILABLE: Final = "available"


class AdmissionRefused(Exception):
    """The request cannot become a call; `errors` has the texts by field, in order."""

    def __init__(self, errors: Mapping[str, list[str]], reason: Refusal | None = None) -> None:
        super().__init__(dict(errors), reason)
        self.errors: Errors = in_order(errors)
        self.reason = reason


class Found(NamedTuple):
    """What the token's account has of the things that a request names; None where it has none."""

    account_id: int
    scopes: list[str] | None
    calls_per_second: int
    max_calls: int
    allowed_countries: list[str] | None
    user_id: int | None
    user_availability: str | None
    users_own_number: str | None
    ring_group_id: int | None
    ring_group_is_busy: bool
    contact_id: int | None
    contact_phone_number: str | None
    contact_opted_out: bool | None
    line_id: int | None
    line_phone_number: str | None
    line_country: str | None
    line_has_trunk: bool | None
    numbered_line_id: int | None
    numbered_contact_id: int | None
    numbered_contact_opted_out: bool | None
    contact_is_own_line: bool
    agent_is_own_line: bool
    quiet_hours: dict[str, str] | None
    account_time_zone: str
    contact_time_zone: str | None
    now: datetime
    whisper_prompt_id: int | None


class Candidate(NamedTuple):
    """A request that only the account's limits can still refuse.

    `contact_id` is None for a number that nobody has yet; `remember_number` adds the dialled
    number to the contact's.
    """

    account_id: int
    calls_per_second: int
    max_calls: int
    contact_id: int | None
    contact_phone_number: str
    remember_number: bool
    line_id: int
    line_phone_number: str
    user_phone_number: str | None


def examine(request: CallRequest, found: Found) -> Candidate:
    """Return what is to be stored; raise AdmissionRefused with every error there is."""
    errors = dict(request.errors)
    _check_selected(request, found, errors)
    contact = _contact_destination(request, found)
    if request.contact_phone_number is not None and not _readable(
        contact, request.contact_phone_number, found
    ):
        errors.setdefault("contact_phone_number", not_a_phone_number("contact_phone_number"))
    agent = None
    if request.user_phone_number is not None:
        agent = destination(request.user_phone_number, found.line_country)
        if not _readable(agent, request.user_phone_number, found):
            errors.setdefault("user_phone_number", not_a_phone_number("user_phone_number"))
    if errors:
        raise AdmissionRefused(errors)
    _check_allowed(request, found, contact, agent)
    if contact.number is None or found.line_id is None or found.line_phone_number is None:
        raise AdmissionRefused({_contact_field(request): ["The contact has no phone number."]})
    by_number = found.contact_id is None
    return Candidate(
        account_id=found.account_id,
        calls_per_second=found.calls_per_second,
        max_calls=found.max_calls,
        contact_id=found.numbered_contact_id if by_number else found.contact_id,
        contact_phone_number=contact.number,
        remember_number=not by_number and request.contact_phone_number is not None,
        line_id=found.line_id,
        line_phone_number=found.line_phone_number,
        user_phone_number=agent.number if agent else None,
    )


def _check_selected(request: CallRequest, found: Found, errors: Errors) -> None:
    selected = {
        "contact_id": (request.contact_id, found.contact_id),
        "line_id": (request.line_id, found.line_id),
        "user_id": (request.user_id, found.user_id),
        "ring_group_id": (request.ring_group_id, found.ring_group_id),
        "whisper_prompt_id": (request.options.get("whisper_prompt_id"), found.whisper_prompt_id),
    }
    for name, (asked, there) in selected.items():
        if asked is not None and there is None:
            errors.setdefault(name, selected_is_invalid(name))
    text = request.line_phone_number
    if text is None:
        return
    if found.numbered_line_id is None:
        known = destination(text, None).number is not None or _PERHAPS_A_NUMBER.fullmatch(text)
        wrong = selected_is_invalid if known else not_a_phone_number
        errors.setdefault("line_phone_number", wrong("line_phone_number"))
    elif request.line_id is not None and found.line_id not in (None, found.numbered_line_id):
        errors.setdefault("line_phone_number", selected_is_invalid("line_phone_number"))


def _contact_destination(request: CallRequest, found: Found) -> Destination:
    text = request.contact_phone_number or found.contact_phone_number
    return destination(text, found.line_country) if text else Destination(None)


def _readable(number: Destination, text: str, found: Found) -> bool:
    if number.number is not None or number.emergency:
        return True
    return found.line_id is None and _PERHAPS_A_NUMBER.fullmatch(text) is not None


def _contact_field(request: CallRequest) -> str:
    return "contact_id" if request.contact_phone_number is None else "contact_phone_number"


def _line_field(request: CallRequest) -> str:
    return "line_phone_number" if request.line_id is None else "line_id"


def _check_allowed(
    request: CallRequest, found: Found, contact: Destination, agent: Destination | None
) -> None:
    if agent is not None:
        _check_number("user_phone_number", agent, found, own=found.agent_is_own_line)
    _check_number(_contact_field(request), contact, found, own=found.contact_is_own_line)
    rung = found.users_own_number if agent is None else agent.number
    if contact.number is not None and contact.number == rung:
        field = _contact_field(request)
        _refuse(field, f"The {field} is the agent's own number.", Refusal.OWN_NUMBER)
    if found.contact_opted_out or found.numbered_contact_opted_out:
        field = _contact_field(request)
        _refuse(field, "The contact has opted out of calls.", Refusal.CONTACT_OPTED_OUT)
    if contact.number is not None and is_quiet(
        found.quiet_hours,
        contact.number,
        found.contact_time_zone,
        found.account_time_zone,
        found.now,
    ):
        text = "It is a time at which the account leaves this contact alone."
        _refuse(_contact_field(request), text, Refusal.QUIET_HOURS)
    if found.user_availability != _AVAILABLE:
        waits = bool(request.options.get("max_wait_seconds"))
        if found.ring_group_id is None and not waits:
            _refuse("user_id", "The selected user_id is away.", Refusal.USER_INACTIVE)
        if found.ring_group_is_busy and not waits:
            text = "Nobody of the selected ring_group_id is free, and its queue is off."
            _refuse("ring_group_id", text, Refusal.NO_AGENT_AVAILABLE)
    if not found.line_has_trunk:
        field = _line_field(request)
        raise AdmissionRefused({field: [f"The selected {field} has no trunk to dial over."]})


def is_quiet(
    quiet_hours: dict[str, str] | None,
    number: str,
    contact_time_zone: str | None,
    account_time_zone: str,
    now: datetime,
) -> bool:
    """Tell whether it is night, by the account's rule and the contact's clock."""
    quiet = None if quiet_hours is None else QuietHours.from_json(quiet_hours)
    if quiet is None:
        return False
    zone = contact_zone(contact_time_zone, number, account_time_zone)
    return wall_of(now, zone).time() in quiet


REFUSAL_TEXTS: Final = {
    Refusal.EMERGENCY_NUMBER: "is an emergency number, which is never dialled.",
    Refusal.DESTINATION_NOT_ALLOWED: "is a destination that the account does not allow.",
    Refusal.OWN_NUMBER: "is one of the account's own lines.",
}


def _check_number(field: str, number: Destination, found: Found, *, own: bool) -> None:
    refusal = Refusal.OWN_NUMBER if own else number.refusal(found.allowed_countries)
    if refusal is not None:
        _refuse(field, f"The {field} {REFUSAL_TEXTS[refusal]}", refusal)


def _refuse(field: str, text: str, reason: Refusal) -> None:
    raise AdmissionRefused({field: [text]}, reason)
