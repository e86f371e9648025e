"""Imports of contacts."""

from __future__ import annotations

from typing import Final

from twoleg.store.migrations.scripts import run_script

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_KINDS: Final = """
ALTER TABLE imports
    DROP CONSTRAINT ck_imports_kind,
    ADD CONSTRAINT ck_imports_kind
        CHECK (kind IN ('appointments_csv', 'appointments_calendar', 'contacts_csv'));
"""

_BACK: Final = """
DELETE FROM imports WHERE kind = 'contacts_csv';
ALTER TABLE imports
    DROP CONSTRAINT ck_imports_kind,
    ADD CONSTRAINT ck_imports_kind
        CHECK (kind IN ('appointments_csv', 'appointments_calendar'));
"""


def upgrade() -> None:
    """Let imports be of contacts."""
    run_script(_KINDS)


def downgrade() -> None:
    """Take that back, and with it the reports of such imports."""
    run_script(_BACK)
