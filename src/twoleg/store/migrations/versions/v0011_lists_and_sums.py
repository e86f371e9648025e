"""Lists of calls by indexes of those that have ended, and sums of days for reports."""

from __future__ import annotations

from typing import Final

from twoleg.store.migrations.scripts import run_beside_others, run_script

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

_SUMS: Final = """
CREATE TABLE summed_days (
    account_id bigint NOT NULL,
    time_zone text NOT NULL,
    day date NOT NULL,
    CONSTRAINT pk_summed_days PRIMARY KEY (account_id, time_zone, day)
);

CREATE TABLE call_sums (
    account_id bigint NOT NULL,
    time_zone text NOT NULL,
    day date NOT NULL,
    kind text NOT NULL,
    key text,
    calls integer NOT NULL,
    connected integer NOT NULL,
    agent_missed integer NOT NULL,
    contact_missed integer NOT NULL,
    talk_seconds numeric(15, 3) NOT NULL,
    connected_talks integer NOT NULL,
    connected_talk_seconds numeric(15, 3) NOT NULL,
    agent_rings integer NOT NULL,
    agent_ring_seconds numeric(15, 3) NOT NULL,
    contact_rings integer NOT NULL,
    contact_ring_seconds numeric(15, 3) NOT NULL,
    CONSTRAINT fk_call_sums_account_id_time_zone_day FOREIGN KEY (account_id, time_zone, day)
        REFERENCES summed_days (account_id, time_zone, day) ON DELETE CASCADE
);
CREATE INDEX ix_call_sums_account_id_time_zone_day_kind
    ON call_sums (account_id, time_zone, day, kind);
"""
# A day of which calls are removed is counted again. Whoever sums days has the lock alone: it has
# not counted what goes here, or what it wrote is seen, and removed.
_REMOVAL: Final = """
CREATE FUNCTION forget_sums_of_removed_calls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('twoleg.call_sums'));
    DELETE FROM summed_days d USING removed r
    WHERE d.account_id = r.account_id AND d.day = (r.created_at AT TIME ZONE d.time_zone)::date;
    RETURN NULL;
END $$;

CREATE TRIGGER forget_sums_of_removed_calls AFTER DELETE ON calls
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT
    EXECUTE FUNCTION forget_sums_of_removed_calls();
"""
_BACK: Final = """
DROP TRIGGER forget_sums_of_removed_calls ON calls;
DROP FUNCTION forget_sums_of_removed_calls();
DROP TABLE call_sums;
DROP TABLE summed_days;
"""


def upgrade() -> None:
    """Make the indexes of ended calls, remove those of all; make the tables of sums."""
    _replace(_OF_ALL, _ENDED)
    run_script(_SUMS)
    run_script(_REMOVAL)


def downgrade() -> None:
    """Bring the indexes of all calls back, and remove the sums."""
    _replace(_ENDED, _OF_ALL)
    run_script(_BACK)


def _replace(old: dict[str, str], new: dict[str, str]) -> None:
    """Make the `new` indexes while calls go on; one that was left half made is made again."""
    statements = []
    for name, of in new.items():
        statements.append(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        statements.append(f"CREATE INDEX CONCURRENTLY {name} ON calls {of}")
    statements += [f"DROP INDEX CONCURRENTLY IF EXISTS {name}" for name in old]
    run_beside_others(statements)
