"""Links to recordings that need no token, for a while: signed, and told from forged ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Final

from twoleg.store import Database

LINK_SECONDS: Final = 3600

_PURPOSE: Final = "recording_links"
# The update gives the row back that another process has just made.
_KEY: Final = """
INSERT INTO signing_keys (purpose) VALUES (%s)
ON CONFLICT (purpose) DO UPDATE SET purpose = excluded.purpose RETURNING key
"""
_FIND_KEY: Final = "SELECT key FROM signing_keys WHERE purpose = %s"


@dataclass(frozen=True, slots=True)
class SignedLink:
    """What stands in a link's query; `expires` in seconds since 1970."""

    expires: int
    signature: str


class RecordingLinks:
    """Signs links to recordings, and checks them; the key is the installation's."""

    def __init__(self, database: Database, seconds: int = LINK_SECONDS) -> None:
        self._database = database
        self._seconds = seconds
        self._key: bytes | None = None

    async def sign(self, call_id: int) -> SignedLink:
        """Give what proves, from now on for a while, that one may hear a call's recording."""
        expires = int(time.time()) + self._seconds
        return SignedLink(expires, _signature(await self._secret(), call_id, expires))

    async def is_signed(self, call_id: int, expires: int, signature: str) -> bool:
        """Tell whether we have signed that, whether or not it has expired."""
        wanted = _signature(await self._secret(), call_id, expires)
        return hmac.compare_digest(wanted.encode(), signature.encode())

    async def _secret(self) -> bytes:
        if self._key is None:
            async with self._database.connection() as connection:
                row = await (await connection.execute(_FIND_KEY, (_PURPOSE,))).fetchone()
                if row is None:
                    row = await (await connection.execute(_KEY, (_PURPOSE,))).fetchone()
            assert row is not None
            self._key = bytes(row[0])
        return self._key


def _signature(key: bytes, call_id: int, expires: int) -> str:
    digest = hmac.digest(key, f"{call_id}.{expires}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
