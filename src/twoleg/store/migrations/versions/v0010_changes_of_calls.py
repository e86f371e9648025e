"""The transitions of a call's status where each change reads them, and room for changes of legs."""

from __future__ import annotations

from typing import Final

from twoleg.store.migrations.scripts import run_script

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# A function in the condition was parsed anew by each statement that changes a status.
_TRANSITIONS: Final = """
CREATE OR REPLACE TRIGGER guard_call_status BEFORE UPDATE OF status ON calls
    FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND OLD.status || '>' || NEW.status <> ALL ('{
        queued>agent_ringing, queued>contact_ringing, queued>ended,
        agent_ringing>agent_connected, agent_ringing>bridged, agent_ringing>queued,
        agent_ringing>ended,
        agent_connected>contact_ringing, agent_connected>queued, agent_connected>ended,
        contact_ringing>agent_ringing, contact_ringing>bridged, contact_ringing>ended,
        bridged>ended}'::text[]))
    EXECUTE FUNCTION guard_call_status();
DROP FUNCTION call_may_go(text, text);
"""

# A leg is written three times within its call: where its page has room, no index is touched.
_ROOM: Final = "ALTER TABLE legs SET (fillfactor = 60);"

_BACK: Final = """
ALTER TABLE legs RESET (fillfactor);

CREATE FUNCTION call_may_go(from_status text, to_status text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE from_status
        WHEN 'queued' THEN to_status IN ('agent_ringing', 'contact_ringing', 'ended')
        WHEN 'agent_ringing' THEN to_status IN ('agent_connected', 'bridged', 'queued', 'ended')
        WHEN 'agent_connected' THEN to_status IN ('contact_ringing', 'queued', 'ended')
        WHEN 'contact_ringing' THEN to_status IN ('agent_ringing', 'bridged', 'ended')
        WHEN 'bridged' THEN to_status = 'ended'
        ELSE false
    END
$$;

CREATE OR REPLACE TRIGGER guard_call_status BEFORE UPDATE OF status ON calls
    FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NOT call_may_go(OLD.status, NEW.status))
    EXECUTE FUNCTION guard_call_status();
"""


def upgrade() -> None:
    """Compare the texts in the trigger's own condition; leave room in pages of legs."""
    run_script(_TRANSITIONS)
    run_script(_ROOM)


def downgrade() -> None:
    """Bring the function back, and fill pages."""
    run_script(_BACK)
