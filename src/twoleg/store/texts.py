"""Text that came from far ends, as PostgreSQL takes it."""

from __future__ import annotations

import re
from typing import Final

# Bytes that were no UTF-8 stand in a message as lone surrogates (PEP 383).
_NO_TEXT: Final = re.compile("[\\0\ud800-\udfff]")


def storable(text: str) -> str:
    """Return `text` with U+FFFD in place of what is no text."""
    return _NO_TEXT.sub("\ufffd", text)
