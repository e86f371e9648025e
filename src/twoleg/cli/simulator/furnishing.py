"""What an account needs to call the simulator: a trunk that leads to it, and a line."""

from __future__ import annotations

from typing import Any, Final

from twoleg.cli.simulator.numbers import LINE
from twoleg.directory.lines import create_line
from twoleg.directory.trunks import change_trunk, create_trunk, list_trunks
from twoleg.settings import ListenAddress
from twoleg.store import Database

TRUNK: Final = "simulator"

_FIRST_ACCOUNT: Final = "SELECT id FROM accounts ORDER BY id LIMIT 1"
_HAS_LINE: Final = """
SELECT FROM lines WHERE account_id = %s AND phone_number = %s AND deleted_at IS NULL
"""


async def furnish(database: Database, address: ListenAddress) -> None:
    """Make the first account's trunk and line if they are missing; have the trunk lead here.

    Does nothing without an account. Raises DatabaseUnavailable.
    """
    async with database.connection() as connection:
        cursor = await connection.execute(_FIRST_ACCOUNT)
        row = await cursor.fetchone()
        if row is None:
            return
        account_id = row[0]
        fields: dict[str, Any] = {"host": address.host, "port": address.port, "transport": "udp"}
        named = await list_trunks(connection, account_id, name=TRUNK, after_id=None, limit=100)
        known = [trunk for trunk in named if trunk.name == TRUNK]
        if not known:
            known = [await create_trunk(connection, account_id, {"name": TRUNK, **fields})]
        elif any(getattr(known[0], name) != value for name, value in fields.items()):
            await change_trunk(connection, account_id, known[0].id, fields)
        cursor = await connection.execute(_HAS_LINE, (account_id, LINE))
        if await cursor.fetchone() is None:
            line = {"phone_number": LINE, "name": "Simulator", "trunk_ids": [known[0].id]}
            await create_line(connection, account_id, line)
