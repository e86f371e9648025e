"""Messages as they come: sound ones, cut, changed and made up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

MESSAGES = Path(__file__).parents[1] / "data" / "rfc4475"


@pytest.fixture
def invite() -> Callable[..., bytes]:
    """Make an INVITE: lines given by name take the place of the usual ones, None leaves one out."""

    def make(
        *more: str,
        start: str = "INVITE sip:bob@biloxi.com SIP/2.0",
        body: bytes = b"",
        **changed: str | None,
    ) -> bytes:
        lines: dict[str, str | None] = {
            "Via": "SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds;rport",
            "Max-Forwards": "70",
            "To": "Bob <sip:bob@biloxi.com>",
            "From": "Alice <sip:alice@atlanta.com>;tag=1928301774",
            "Call-ID": "a84b4c76e66710@pc33.atlanta.com",
            "CSeq": "314159 INVITE",
            "Contact": "<sip:alice@pc33.atlanta.com>",
            "Content-Length": str(len(body)),
        }
        lines |= {name.replace("_", "-"): value for name, value in changed.items()}
        head = [start, *[f"{name}: {value}" for name, value in lines.items() if value is not None]]
        return "\r\n".join([*head, *more, "", ""]).encode("utf-8", "surrogateescape") + body

    return make
