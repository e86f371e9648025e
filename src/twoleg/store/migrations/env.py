"""What Alembic runs: the versions, on the connection that `store.schema` gives it."""

from __future__ import annotations

from alembic import context

from twoleg.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
