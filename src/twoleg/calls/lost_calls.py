"""What lost engines leave behind, in SQL: whose calls they are, and what is done with them."""

from __future__ import annotations

from typing import Final

# A heartbeat is judged by the database's clock, and not at all by an engine that has just come.
_LOST: Final = """
  e.id <> %(self)s AND (e.gone OR %(judging)s
    AND e.heartbeat_at < clock_timestamp() - make_interval(secs => %(dead)s))
"""


# Whether there is anything to do, as is rare.
ANYTHING_LOST: Final = f"""
SELECT EXISTS (
  SELECT FROM (
    SELECT DISTINCT engine_id FROM calls
    WHERE ended_at IS NULL AND engine_id <> %(self)s OFFSET 0
  ) c JOIN engines e ON e.id = c.engine_id WHERE {_LOST}
) OR EXISTS (SELECT FROM lost_legs)
"""  # noqa: S608


# In no order: one that the index of all calls has would be taken from there, and all be read.
def _requeue(whose: str) -> str:
    return f"""
WITH orphaned AS MATERIALIZED (
  SELECT c.id FROM calls c JOIN engines e ON e.id = c.engine_id
  WHERE c.ended_at IS NULL AND {whose} AND c.contact_attempt_at IS NULL
  LIMIT %(most)s FOR NO KEY UPDATE OF c SKIP LOCKED
), freed AS (
  DELETE FROM reservations r USING orphaned o WHERE r.call_id = o.id
), waited AS (
  DELETE FROM waiting_calls w USING orphaned o WHERE w.call_id = o.id
), unrung AS (
  DELETE FROM legs l USING orphaned o WHERE l.call_id = o.id
), queued AS (
  UPDATE calls c SET engine_id = NULL, claimed_at = NULL, status = 'queued',
    sequence = sequence + 1
  FROM orphaned o WHERE c.id = o.id RETURNING c.id, c.account_id, c.sequence
), told AS (
  INSERT INTO call_events (account_id, call_id, sequence, type, at, data)
  SELECT account_id, id, sequence, 'call.queued', clock_timestamp(), '{{"recovered": true}}'
  FROM queued
)
SELECT id, pg_notify(%(channel)s, ''), pg_notify(%(events)s, '') FROM queued
"""  # noqa: S608


REQUEUE_LOST: Final = _requeue(_LOST)
REQUEUE_OURS: Final = _requeue("e.id = %(self)s")

# Talk time is known up to the engine's last heartbeat. What is to be hung up is kept until it is,
# lest it be forgotten when the engine that is to do it is lost too. The leg of the agent who has
# the call knows the contact's first INVITE, which may have left without a trace of its own: that is
# leg 0, unless the contact's leg says that it has come to more since.
FAIL: Final = f"""
WITH orphaned AS MATERIALIZED (
  SELECT c.id, e.heartbeat_at FROM calls c JOIN engines e ON e.id = c.engine_id
  WHERE c.ended_at IS NULL AND {_LOST} AND c.contact_attempt_at IS NOT NULL
  LIMIT %(most)s FOR NO KEY UPDATE OF c SKIP LOCKED
), freed AS (
  DELETE FROM reservations r USING orphaned o WHERE r.call_id = o.id
  RETURNING r.call_id, r.user_id, r.wrap_up_seconds
), waited AS (
  DELETE FROM waiting_calls w USING orphaned o WHERE w.call_id = o.id
), idle AS (
  UPDATE users SET last_call_ended_at = clock_timestamp(),
    wrap_up_until = clock_timestamp() + make_interval(secs => f.wrap_up_seconds)
  FROM freed f WHERE users.id = f.user_id AND EXISTS (
    SELECT FROM legs l
    WHERE l.call_id = f.call_id AND l.user_id = f.user_id AND l.answered_at IS NOT NULL)
), bridged AS (
  SELECT v.call_id, min(v.at) AS at FROM call_events v JOIN orphaned o ON o.id = v.call_id
  WHERE v.type = 'call.bridged' GROUP BY v.call_id
), ended AS (
  UPDATE calls c SET status = 'ended', outcome = 'failed', ended_by = 'system',
    failure = 'the engine that had the call was lost', ended_at = clock_timestamp(),
    talk_seconds = greatest(0, coalesce(extract(epoch FROM o.heartbeat_at - b.at), 0)),
    total_seconds = extract(epoch FROM clock_timestamp() - c.created_at),
    sequence = sequence + 1
  FROM orphaned o LEFT JOIN bridged b ON b.call_id = o.id
  WHERE c.id = o.id
  RETURNING c.id, c.account_id, c.sequence, c.ended_at, c.failure, c.talk_seconds, c.total_seconds
), told AS (
  INSERT INTO call_events (account_id, call_id, sequence, type, at, data)
  SELECT account_id, id, sequence, 'call.ended', ended_at, jsonb_build_object(
    'outcome', 'failed', 'ended_by', 'system', 'failure', failure,
    'talk_seconds', talk_seconds, 'total_seconds', total_seconds) FROM ended
), left_up AS (
  INSERT INTO lost_legs (call_id, position, engine_id, trunk_id, invite, dialog)
  SELECT l.call_id, l.position, %(self)s, l.trunk_id,
    CASE WHEN l.dialog IS NULL THEN l.invite END, l.dialog
  FROM ended e JOIN legs l ON l.call_id = e.id
  WHERE l.ended_at IS NULL AND (l.invite IS NOT NULL OR l.dialog IS NOT NULL)
  UNION ALL
  SELECT l.call_id, 0, %(self)s, NULL, l.invite, NULL
  FROM ended e JOIN legs l ON l.call_id = e.id
  WHERE l.ended_at IS NULL AND l.dialog IS NOT NULL AND l.invite IS NOT NULL AND NOT EXISTS (
    SELECT FROM legs c WHERE c.call_id = e.id AND c.role = 'contact'
      AND num_nonnulls(c.answered_at, c.ended_at, c.invite) > 0)
), closed AS (
  UPDATE legs l SET ended_at = e.ended_at, invite = NULL, dialog = NULL FROM ended e
  WHERE l.call_id = e.id AND l.ended_at IS NULL
)
SELECT id, pg_notify(%(events)s, '') FROM ended
"""  # noqa: S608

# Legs that an engine was to hang up which is lost by now are ours, as those that we took before.
TAKE_LEGS: Final = f"""
UPDATE lost_legs l SET engine_id = %(self)s FROM engines e
WHERE e.id = l.engine_id AND {_LOST}
"""  # noqa: S608
OUR_LEGS: Final = """
SELECT l.call_id, l.position, l.invite, l.dialog, t.username, t.password
FROM lost_legs l LEFT JOIN trunks t ON t.id = l.trunk_id
WHERE l.engine_id = %(self)s ORDER BY l.call_id, l.position LIMIT %(most)s
"""
FORGET_LEG: Final = "DELETE FROM lost_legs WHERE call_id = %s AND position = %s"
