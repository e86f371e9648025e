"""SQL of several statements, run by a migration."""

from __future__ import annotations

from collections.abc import Iterable

from alembic import op


def run_script(script: str) -> None:
    """Run `script` straight by the driver: statements at once, none of their signs a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(script)


def run_beside_others(statements: Iterable[str]) -> None:
    """Run statements that take no transaction, as those that make indexes while others write.

    What was done before one of them fails stays done: the next try must bear that.
    """
    with op.get_context().autocommit_block():
        for statement in statements:
            run_script(statement)
