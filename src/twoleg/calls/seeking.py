"""The parts of SQL that find free users for calls, and reserve them.

They follow a common table `seeking(call_id, account_id, user_id, ring_group_id, rung, begun)`:
each call seeks one user, or somebody of one ring group that it has not rung yet; `begun` says
that it has rung somebody of the group.
"""

from __future__ import annotations

from typing import Final

# Whom an older call waits for is not taken by a younger one, on whichever engine they wait; calls
# of this statement are put in their order by the statement itself.
_OLDER: Final = """
  w.call_id < s.call_id AND w.call_id NOT IN (SELECT call_id FROM seeking)
  AND (SELECT o.ended_at IS NULL FROM calls o WHERE o.id = w.call_id)
"""

# OFFSET 0 has each row looked up by its key, whatever the planner believes of the tables' sizes.
# `turn` is the order of the group's strategy. Of a group's calls the oldest gets the first of it;
# where all are rung together, it gets them all. Users are inserted in the order of their ids, so
# that no two engines wait for each other in a ring.
WANTED: Final = f"""
free AS MATERIALIZED (
  SELECT g.id AS ring_group_id, g.strategy, m.user_id, m.place,
    row_number() OVER (PARTITION BY g.id ORDER BY CASE g.strategy
      WHEN 'round_robin' THEN mod(m.place - mod(g.next_position, m.members) + m.members, m.members)
      WHEN 'longest_idle' THEN coalesce(extract(epoch FROM u.last_call_ended_at)::float8, 0)
      WHEN 'random' THEN random() END, m.place) AS turn
  FROM (SELECT DISTINCT ring_group_id AS id FROM seeking WHERE ring_group_id IS NOT NULL) s,
  LATERAL (
    SELECT id, strategy, next_position FROM ring_groups
    WHERE id = s.id AND deleted_at IS NULL OFFSET 0
  ) g, LATERAL (
    SELECT user_id, row_number() OVER (ORDER BY position) - 1 AS place,
      count(*) OVER () AS members
    FROM ring_group_members WHERE ring_group_id = g.id OFFSET 0
  ) m, LATERAL (
    SELECT last_call_ended_at FROM users
    WHERE id = m.user_id AND deleted_at IS NULL AND availability = 'available'
      AND (wrap_up_until IS NULL OR wrap_up_until <= now())
      AND (phone_number IS NOT NULL OR EXISTS (
        SELECT FROM bindings b WHERE b.user_id = m.user_id AND b.expires_at > now()))
    OFFSET 0
  ) u
  WHERE NOT EXISTS (SELECT FROM reservations r WHERE r.user_id = m.user_id)
), candidates AS (
  SELECT s.call_id, s.account_id, s.ring_group_id, f.strategy, f.user_id, f.place, f.turn,
    dense_rank() OVER (PARTITION BY s.ring_group_id ORDER BY s.call_id) AS asker,
    row_number() OVER (PARTITION BY s.call_id ORDER BY f.turn) AS choice
  FROM seeking s JOIN free f USING (ring_group_id)
  WHERE f.user_id <> ALL (s.rung)
    AND NOT EXISTS (SELECT FROM waiting_calls w WHERE w.user_id = f.user_id AND {_OLDER})
    AND NOT EXISTS (
      SELECT FROM ring_group_members o JOIN waiting_calls w USING (ring_group_id)
      WHERE o.user_id = f.user_id AND f.user_id <> ALL (w.rung) AND {_OLDER})
), wanted AS MATERIALIZED (
  SELECT s.call_id, s.account_id, s.ring_group_id, s.user_id, 0 AS place, 0 AS turn,
    NULL AS strategy
  FROM seeking s
  WHERE s.ring_group_id IS NULL
    AND (SELECT u.deleted_at IS NULL AND u.availability = 'available'
         FROM users u WHERE u.id = s.user_id)
    AND NOT EXISTS (SELECT FROM reservations r WHERE r.user_id = s.user_id)
    AND NOT EXISTS (SELECT FROM waiting_calls w WHERE w.user_id = s.user_id AND {_OLDER})
  UNION ALL
  SELECT call_id, account_id, ring_group_id, user_id, place, turn, strategy
  FROM candidates WHERE CASE strategy WHEN 'ring_all' THEN asker = 1 ELSE choice = asker END
)
"""  # noqa: S608
RESERVE: Final = f"""
{WANTED}, reserved AS (
  INSERT INTO reservations (user_id, call_id, wrap_up_seconds)
  SELECT DISTINCT ON (w.user_id) w.user_id, w.call_id, coalesce(
    (SELECT g.wrap_up_seconds FROM ring_groups g WHERE g.id = w.ring_group_id),
    (SELECT a.wrap_up_seconds FROM accounts a WHERE a.id = w.account_id), 0)
  FROM wanted w ORDER BY w.user_id, w.call_id
  ON CONFLICT (user_id) DO NOTHING RETURNING user_id, call_id
), advanced AS (
  UPDATE ring_groups g SET next_position = last.place + 1
  FROM (
    SELECT DISTINCT ON (w.ring_group_id) w.ring_group_id, w.place
    FROM wanted w JOIN reserved USING (call_id, user_id) WHERE w.strategy = 'round_robin'
    ORDER BY w.ring_group_id, w.turn DESC
  ) last WHERE g.id = last.ring_group_id
)
"""  # noqa: S608
# The same without a trace: whom it would reserve.
WOULD_RESERVE: Final = f"""
{WANTED}, reserved AS (
  SELECT DISTINCT ON (w.user_id) w.user_id, w.call_id FROM wanted w ORDER BY w.user_id, w.call_id
)
"""  # noqa: S608

# A user `u` as the agent that is rung. The account's own lines are nobody's number.
_AGENT: Final = """
  json_build_object('user_id', u.id, 'phone_number', CASE WHEN NOT EXISTS (
      SELECT FROM lines o WHERE o.account_id = u.account_id AND o.deleted_at IS NULL
        AND o.phone_number = u.phone_number) THEN u.phone_number END,
    'sip_username', u.sip_username, 'screening', u.screening,
    'media_encryption', u.media_encryption,
    'bindings', (SELECT coalesce(json_agg(json_build_object('contact', b.contact_uri,
        'path', b.path, 'flow', b.flow, 'engine_id', b.engine_id)), '[]')
      FROM bindings b WHERE b.user_id = u.id AND b.expires_at > now()))
"""

# Of each row `s` of seeking: the columns of Found, and what they are taken from.
FOUND: Final = f"""
  g.strategy, g.ring_seconds, g.max_wait_seconds,
  CASE WHEN NOT EXISTS (
    SELECT FROM lines o WHERE o.account_id = s.account_id AND o.deleted_at IS NULL
      AND o.phone_number = g.fallback->>'phone_number') THEN g.fallback END,
  g.screening, f.anybody,
  CASE WHEN f.anybody THEN true
    WHEN s.ring_group_id IS NULL THEN EXISTS (
      SELECT FROM users u WHERE u.id = s.user_id AND u.deleted_at IS NULL)
    ELSE g.id IS NOT NULL AND EXISTS (
      SELECT FROM ring_group_members m
      WHERE m.ring_group_id = s.ring_group_id AND m.user_id <> ALL (s.rung)
        AND (NOT s.begun OR EXISTS (
          SELECT FROM users u WHERE u.id = m.user_id AND u.availability = 'available'
            AND (u.wrap_up_until > now() OR EXISTS (
              SELECT FROM reservations r WHERE r.user_id = u.id))))) END,
  (SELECT coalesce(json_agg({_AGENT}), '[]')
   FROM reserved r JOIN users u ON u.id = r.user_id WHERE r.call_id = s.call_id)
"""  # noqa: S608
FOUND_FROM: Final = """
  LEFT JOIN ring_groups g ON g.id = s.ring_group_id AND g.deleted_at IS NULL
  CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM wanted w WHERE w.call_id = s.call_id) AS anybody OFFSET 0
  ) f
"""
FOUND_COLUMNS: Final = 8

# The same where every call of `seeking(call_id, account_id, user_id, asks_group)` seeks a user.
# With one among them that asks a group nobody is reserved: groups are searched for all together.
RESERVE_USERS: Final = f"""
wanted AS MATERIALIZED (
  SELECT s.call_id, s.account_id, s.user_id
  FROM seeking s, LATERAL (
    SELECT FROM users
    WHERE id = s.user_id AND deleted_at IS NULL AND availability = 'available' OFFSET 0
  ) u
  WHERE NOT (SELECT bool_or(asks_group) FROM seeking)
    AND NOT EXISTS (SELECT FROM reservations r WHERE r.user_id = s.user_id)
    AND NOT EXISTS (SELECT FROM waiting_calls w WHERE w.user_id = s.user_id AND {_OLDER})
), reserved AS (
  INSERT INTO reservations (user_id, call_id, wrap_up_seconds)
  SELECT DISTINCT ON (w.user_id) w.user_id, w.call_id,
    (SELECT a.wrap_up_seconds FROM accounts a WHERE a.id = w.account_id)
  FROM wanted w ORDER BY w.user_id, w.call_id
  ON CONFLICT (user_id) DO NOTHING RETURNING call_id
)
"""  # noqa: S608
FOUND_USER: Final = f"""
  NULL, NULL, NULL, NULL, NULL, w.call_id IS NOT NULL, u.id IS NOT NULL,
  CASE WHEN r.call_id IS NULL THEN '[]' ELSE json_build_array({_AGENT}) END
"""
FOUND_USER_FROM: Final = """
  LEFT JOIN LATERAL (
    SELECT * FROM users WHERE id = s.user_id AND deleted_at IS NULL OFFSET 0
  ) u ON true
  LEFT JOIN wanted w ON w.call_id = s.call_id LEFT JOIN reserved r ON r.call_id = s.call_id
"""
