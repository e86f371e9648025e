"""What nearly all values of Via, From and To look like, read in one go.

All others take the long way of `fields`, to the same end.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from twoleg.sip.errors import InvalidValue
from twoleg.sip.remembered import remembered
from twoleg.sip.uri import Parameters

_HOST = r"([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::([1-9][0-9]{0,4}))?"
_PARAMETERS = r"((?:;[A-Za-z0-9-]+(?:=[A-Za-z0-9.*_+~-]+)?){0,32})"
_PARAMETER = re.compile(r";([^;=]+)=?([^;]*)").findall
PLAIN_ADDRESS = re.compile(
    r'(?:"([^"\\]*)"[ \t]*|([A-Za-z0-9 .!*_+~-]*))'
    rf"<(sips?):(?:([A-Za-z0-9_.+*!~-]+)@)?{_HOST}{_PARAMETERS}>{_PARAMETERS}"
).fullmatch

# The same, where all that is wanted of a value is one parameter: its first group.
_SOUND_PORT = (
    r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}"
    r"|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
_SOUND_HOST = rf"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::{_SOUND_PORT})?"
_SOUND_PARAMETERS = r"(?:;[A-Za-z0-9-]+(?:=[A-Za-z0-9.*_+~-]+)?){0,32}"
_SOUND_SENT_BY = rf"SIP/2\.0/[A-Z]+ {_SOUND_HOST}"
_SOUND_ADDRESS = (
    r'(?:"[^"\\]*"[ \t]*|[A-Za-z0-9 .!*_+~-]*)'
    rf"<sips?:(?:[A-Za-z0-9_.+*!~-]+@)?{_SOUND_HOST}{_SOUND_PARAMETERS}>"
)


def _others_than(parameter: str) -> str:
    return _SOUND_PARAMETERS.replace("(?:;", rf"(?:;(?!(?i:{parameter})(?:[=;]|$))", 1)


def _with_parameter(parameter: str, before: str) -> Callable[[str], re.Match[str] | None]:
    others = _others_than(parameter)
    return re.compile(f"{before}(?:{others};{parameter}=([A-Za-z0-9.*_+~-]+))?{others}").fullmatch


_via_with_branch = _with_parameter("branch", _SOUND_SENT_BY)
_address_with_tag = _with_parameter("tag", _SOUND_ADDRESS)
# Letters and digits alone, as most are, are told quicker by str itself.
_plain_value = re.compile(r"[A-Za-z0-9.*_+~-]+").fullmatch
_sent_by = re.compile(_SOUND_SENT_BY).fullmatch
_address = re.compile(_SOUND_ADDRESS).fullmatch
_without_branch = re.compile(_others_than("branch")).fullmatch


@remembered
def _plain_sent_by(text: str) -> tuple[str, str, int | None] | None:
    """Read what stands before the parameters of a Via; None if it looks unusual."""
    if _sent_by(text) is None:
        return None
    protocol, _, sent_by = text.partition(" ")
    host, _, port = sent_by.partition(":")
    return protocol.rpartition("/")[2], host.lower(), int(port) if port else None


@remembered
def _plain_others(text: str) -> Parameters | None:
    """Read what follows the branch of a Via and its semicolon; None if it looks unusual."""
    if not text:
        return ()
    text = f";{text}"
    return None if _without_branch(text) is None else plain_parameters(text)


@remembered
def _is_plain_address(text: str) -> bool:
    return _address(text) is not None


def plain_via(via: str) -> tuple[tuple[str, str, int | None], str, Parameters] | None:
    """Read a Via as nearly all are: what sent it, its branch, what follows; None for any other.

    Of most only the branch is another than that of the Via before.
    """
    before, _, after = via.partition(";branch=")
    branch, _, others = after.partition(";")
    if (branch.isalnum() and branch.isascii()) or _plain_value(branch):
        sent_by, parameters = _plain_sent_by(before), _plain_others(others)
        if sent_by is not None and parameters is not None:
            return sent_by, branch, parameters
    return None


def plain_branch(via: str) -> str | None:
    """Read the branch of a Via as nearly all are. Raises InvalidValue for any other."""
    plain = plain_via(via)
    if plain is not None:
        return plain[1]
    with_branch = _via_with_branch(via)
    if with_branch is None:
        raise InvalidValue("Via", "it looks unusual")
    return with_branch[1]


def plain_tag(address: str) -> str | None:
    """Read the tag of a From or To as nearly all are. Raises InvalidValue for any other.

    Of most only the tag is another than that of an address before.
    """
    before, _, tag = address.rpartition(";tag=")
    if ((tag.isalnum() and tag.isascii()) or _plain_value(tag)) and _is_plain_address(before):
        return tag
    with_tag = _address_with_tag(address)
    if with_tag is None:
        raise InvalidValue("address", "it looks unusual")
    return with_tag[1]


def plain_identity(via: str, from_: str, to: str) -> tuple[str | None, str | None, str | None]:
    """Read the branch of a Via, the tags of From and To. Raises InvalidValue as the ways above do.

    In nearly all messages each is there, and the rest is what another message had.
    """
    before, _, after = via.partition(";branch=")
    branch, _, others = after.partition(";")
    ours, _, from_tag = from_.rpartition(";tag=")
    theirs, _, to_tag = to.rpartition(";tag=")
    values = branch + from_tag + to_tag
    if (
        (branch and from_tag and to_tag)
        and ((values.isalnum() and values.isascii()) or _plain_value(values))
        and (_is_plain_address(ours) and _is_plain_address(theirs))
        and (_plain_sent_by(before) is not None and _plain_others(others) is not None)
    ):
        return branch, from_tag, to_tag
    return plain_branch(via), plain_tag(from_), plain_tag(to)


def plain_parameters(tail: str) -> Parameters:
    """Read `;name[=value]...` that is known to be sound, with no value that is empty."""
    return tuple([(name.lower(), value or None) for name, value in _PARAMETER(tail)])
