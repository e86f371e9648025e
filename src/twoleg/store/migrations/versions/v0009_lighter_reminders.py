"""Less to check and to lock whenever a reminder becomes a call."""

from __future__ import annotations

from typing import Final

from twoleg.store.migrations.scripts import run_script

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# The statement that writes an attempt writes its call and its reminder too: the foreign keys found
# nothing, and locked both rows of each.
_REFERENCES: Final = """
ALTER TABLE reminder_attempts DROP CONSTRAINT fk_reminder_attempts_call_id;
ALTER TABLE reminder_attempts DROP CONSTRAINT fk_reminder_attempts_reminder_id;

CREATE OR REPLACE FUNCTION remove_what_calls_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM legs WHERE call_id IN (SELECT id FROM removed);
    DELETE FROM call_events WHERE call_id IN (SELECT id FROM removed);
    DELETE FROM reminder_attempts WHERE call_id IN (SELECT id FROM removed);
    RETURN NULL;
END $$;

CREATE FUNCTION remove_what_reminders_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM reminder_attempts WHERE reminder_id IN (SELECT id FROM removed);
    RETURN NULL;
END $$;

CREATE TRIGGER remove_what_reminders_left AFTER DELETE ON reminders
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT
    EXECUTE FUNCTION remove_what_reminders_left();
"""

_BACK: Final = """
DROP TRIGGER remove_what_reminders_left ON reminders;
DROP FUNCTION remove_what_reminders_left();

CREATE OR REPLACE FUNCTION remove_what_calls_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM legs WHERE call_id IN (SELECT id FROM removed);
    DELETE FROM call_events WHERE call_id IN (SELECT id FROM removed);
    RETURN NULL;
END $$;

ALTER TABLE reminder_attempts ADD CONSTRAINT fk_reminder_attempts_reminder_id
    FOREIGN KEY (reminder_id) REFERENCES reminders (id) ON DELETE CASCADE;
ALTER TABLE reminder_attempts ADD CONSTRAINT fk_reminder_attempts_call_id
    FOREIGN KEY (call_id) REFERENCES calls (id) ON DELETE CASCADE;
"""


def upgrade() -> None:
    """Make the checks cheaper."""
    run_script(_REFERENCES)


def downgrade() -> None:
    """Bring the foreign keys back."""
    run_script(_BACK)
