"""Numbers at which agents are rung: the account's rules hold for them as for its contacts'."""

from __future__ import annotations

from typing import Final

from twoleg.api.errors import FieldErrors
from twoleg.calls.admission_rules import REFUSAL_TEXTS
from twoleg.calls.destinations import Refusal, destination
from twoleg.store.database import Connection

_RULES: Final = """
SELECT a.allowed_countries, EXISTS (
  SELECT FROM lines l
  WHERE l.account_id = a.id AND l.phone_number = %s AND l.deleted_at IS NULL)
FROM accounts a WHERE a.id = %s
"""


async def check_agent_number(
    connection: Connection, account_id: int, field: str, number: str | None
) -> None:
    """Raise FieldErrors for `field` where `number` (E.164) may not be dialled; None may be kept."""
    if number is None:
        return
    cursor = await connection.execute(_RULES, (number, account_id))
    row = await cursor.fetchone()
    assert row is not None
    allowed, own = row
    refusal = Refusal.OWN_NUMBER if own else destination(number, None).refusal(allowed)
    if refusal is not None:
        raise FieldErrors({field: [f"The {field} {REFUSAL_TEXTS[refusal]}"]}, refusal)
