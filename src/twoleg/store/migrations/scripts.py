"""SQL of several statements, run by a migration."""

from __future__ import annotations

from alembic import op


def run_script(script: str) -> None:
    """Run `script` straight by the driver: statements at once, none of their signs a parameter."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(script)
