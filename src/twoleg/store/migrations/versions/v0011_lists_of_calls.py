"""Lists of calls by indexes of those that have ended: an entry is written once, and not thrice."""

from __future__ import annotations

from typing import Final

from twoleg.store.migrations.scripts import run_beside_others

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ENDED: Final = {
    "ix_calls_ended": "(account_id, created_at, id) WHERE ended_at IS NOT NULL",
    "ix_calls_ended_outcome": """
        (account_id, outcome, created_at, id) WHERE ended_at IS NOT NULL""",
    "ix_calls_ended_contact_phone_number": """
        (account_id, contact_phone_number, created_at, id) WHERE ended_at IS NOT NULL""",
    "ix_calls_ended_line_phone_number": """
        (account_id, line_phone_number, created_at, id) WHERE ended_at IS NOT NULL""",
    "ix_calls_ended_user_id": """
        (account_id, user_id, created_at, id)
        WHERE ended_at IS NOT NULL AND user_id IS NOT NULL""",
    "ix_calls_ended_ring_group_id": """
        (account_id, ring_group_id, created_at, id)
        WHERE ended_at IS NOT NULL AND ring_group_id IS NOT NULL""",
    "ix_calls_ended_contact_id": """
        (account_id, contact_id, created_at, id)
        WHERE ended_at IS NOT NULL AND contact_id IS NOT NULL""",
    "ix_calls_ended_line_id": """
        (account_id, line_id, created_at, id)
        WHERE ended_at IS NOT NULL AND line_id IS NOT NULL""",
    "ix_calls_ended_user_phone_number": """
        (account_id, user_phone_number, created_at, id)
        WHERE ended_at IS NOT NULL AND user_phone_number IS NOT NULL""",
    "ix_calls_ended_answered_by": """
        (account_id, answered_by, created_at, id)
        WHERE ended_at IS NOT NULL AND answered_by IS NOT NULL""",
    "ix_calls_ended_disposition": """
        (account_id, disposition, created_at, id)
        WHERE ended_at IS NOT NULL AND disposition IS NOT NULL""",
}
_OF_ALL: Final = {
    "ix_calls_account_id_id": "(account_id, id DESC)",
    "ix_calls_account_id_user_id": "(account_id, user_id, id DESC)",
    "ix_calls_account_id_contact_id": "(account_id, contact_id, id DESC)",
    "ix_calls_account_id_created_at": "(account_id, created_at)",
}


def upgrade() -> None:
    """Make those of ended calls, then remove those of all."""
    _replace(_OF_ALL, _ENDED)


def downgrade() -> None:
    """Bring those of all calls back."""
    _replace(_ENDED, _OF_ALL)


def _replace(old: dict[str, str], new: dict[str, str]) -> None:
    """Make the `new` indexes while calls go on; one that was left half made is made again."""
    statements = []
    for name, of in new.items():
        statements.append(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        statements.append(f"CREATE INDEX CONCURRENTLY {name} ON calls {of}")
    statements += [f"DROP INDEX CONCURRENTLY IF EXISTS {name}" for name in old]
    run_beside_others(statements)
