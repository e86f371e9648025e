"""Encrypted audio, withheld numbers and prefixes of trunks; when a reminder was meant to be."""

from __future__ import annotations

from typing import Final

from twoleg.store.migrations.scripts import run_script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLUMNS: Final = """
ALTER TABLE users
    ADD COLUMN media_encryption text NOT NULL DEFAULT 'none',
    ADD CONSTRAINT ck_users_media_encryption CHECK (media_encryption IN ('none', 'sdes'));
ALTER TABLE trunks
    ADD COLUMN media_encryption text NOT NULL DEFAULT 'none',
    ADD COLUMN privacy text NOT NULL DEFAULT 'none',
    ADD COLUMN dial_prefix text,
    ADD CONSTRAINT ck_trunks_media_encryption CHECK (media_encryption IN ('none', 'sdes')),
    ADD CONSTRAINT ck_trunks_privacy CHECK (privacy IN ('none', 'id'));
ALTER TABLE reminders ADD COLUMN planned_for timestamptz;
"""

_PLAN_ANEW: Final = """
CREATE OR REPLACE TRIGGER plan_appointments_anew
    AFTER UPDATE OF moments, line_id, quiet_hours, weekdays, skip_holidays, active, deleted_at,
        text, prompt_id, language, change_means, ring_group_id, voicemail, voicemail_text,
        voicemail_prompt_id
    ON reminder_plans FOR EACH ROW EXECUTE FUNCTION plan_appointments_anew();
"""

_BACK: Final = """
CREATE OR REPLACE TRIGGER plan_appointments_anew
    AFTER UPDATE OF moments, line_id, quiet_hours, weekdays, skip_holidays, active, deleted_at,
        text, language, change_means, ring_group_id, voicemail, voicemail_text
    ON reminder_plans FOR EACH ROW EXECUTE FUNCTION plan_appointments_anew();
ALTER TABLE reminders DROP COLUMN planned_for;
ALTER TABLE trunks DROP COLUMN media_encryption, DROP COLUMN privacy, DROP COLUMN dial_prefix;
ALTER TABLE users DROP COLUMN media_encryption;
"""


def upgrade() -> None:
    """Add the columns, and plan appointments anew when a plan's recording changes too."""
    run_script(_COLUMNS)
    run_script(_PLAN_ANEW)


def downgrade() -> None:
    """Take them back."""
    run_script(_BACK)
