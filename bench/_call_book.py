"""Years of call records, filled by SQL: several accounts, one with most of the calls.

What is drawn is drawn from the same seed each time. The calls of any book are spread over the same
two years, so that a larger one has more of them in each day.
"""

from __future__ import annotations

import psycopg

ACCOUNTS = 20
USERS = 50
"""Of each account, as of lines and groups below; the first is used most."""

LINES = 8
GROUPS = 4
PLANS = 3
CALLS_PER_CONTACT = 5
DAYS = 730
LIVE = 200
"""The newest calls, which have not ended."""

WHOLE = 1_000_000
"""Of no more calls are there legs and events: those of ten million would take 20 GB. They are the
newest ones, and as many in the middle as a page may be of.
"""
_MIDDLE = 100_000

_DIRECTORY = f"""
INSERT INTO accounts (id, name, time_zone)
  SELECT n, 'Company ' || n, 'America/New_York' FROM generate_series(2, {ACCOUNTS}) n;
INSERT INTO users (id, account_id, name, email, sip_username)
  SELECT 1000 * a + n, a, 'Agent ' || n, 'agent' || n || '@example.com', 'agent' || a || '-' || n
  FROM generate_series(1, {ACCOUNTS}) a, generate_series(1, {USERS}) n;
INSERT INTO lines (id, account_id, phone_number, country)
  SELECT 1000 * a + n, a, '+1855' || (2000000 + 1000 * a + n), 'US'
  FROM generate_series(1, {ACCOUNTS}) a, generate_series(1, {LINES}) n;
INSERT INTO ring_groups (id, account_id, name)
  SELECT 1000 * a + n, a, 'Group ' || n
  FROM generate_series(1, {ACCOUNTS}) a, generate_series(1, {GROUPS}) n;
INSERT INTO reminder_plans (id, account_id, name, line_id, moments, text)
  SELECT 1000 * a + n, a, 'Plan ' || n, 1000 * a + 1, '[{{"days_before": 1}}]', 'Hello {{name}}'
  FROM generate_series(1, {ACCOUNTS}) a, generate_series(1, {PLANS}) n;
"""
_CONTACTS = f"""
INSERT INTO contacts (id, account_id, phone_number, name, time_zone)
SELECT n, 1 + n %% {ACCOUNTS}, '+1818' || (2000000 + n), 'Contact ' || n, 'America/Los_Angeles'
FROM generate_series(1, %(contacts)s) n
"""
_CALLS = f"""
INSERT INTO calls (id, account_id, source, status, outcome, ended_by, user_id, ring_group_id,
  contact_id, line_id, contact_phone_number, line_phone_number, options, metadata, engine_id,
  claimed_at, contact_attempt_at, sequence, created_at, ended_at, agent_ring_seconds,
  contact_ring_seconds, talk_seconds, total_seconds)
SELECT n, account, source, CASE WHEN ended THEN 'ended' ELSE 'bridged' END,
  CASE WHEN ended THEN outcome END, CASE WHEN ended THEN 'contact' END,
  CASE WHEN source = 'reminder' OR grouped THEN NULL ELSE 1000 * account + agent END,
  CASE WHEN grouped THEN 1000 * account + floor(1 + {GROUPS} * pick)::int END,
  contact, 1000 * account + line, '+1818' || (2000000 + contact),
  '+1855' || (2000000 + 1000 * account + line), '{{"ring_seconds": {{"agent": 30}}}}',
  jsonb_build_object('ticket', n), 1, at, at + interval '3 s', 6, at,
  CASE WHEN ended THEN at + make_interval(secs => 20 + talk) END, round((30 * pick)::numeric, 3),
  CASE WHEN outcome !~ 'agent' THEN round((20 * pick)::numeric, 3) END,
  CASE WHEN ended AND outcome = 'connected' THEN round(talk::numeric, 3) END,
  CASE WHEN ended THEN round((20 + talk)::numeric, 3) END
FROM (
  SELECT n, account, at, pick, talk, n <= %(calls)s - {LIVE} AS ended,
    CASE WHEN kind < 0.1 THEN 'reminder' ELSE 'api' END AS source, kind > 0.8 AS grouped,
    floor(1 + {USERS} * busy * busy)::int AS agent, floor(1 + {LINES} * dear ^ 3)::int AS line,
    {ACCOUNTS} * floor((%(contacts)s / {ACCOUNTS} - 1) * whom)::int + {ACCOUNTS} + account - 1
      AS contact,
    CASE WHEN came < 0.62 THEN 'connected' WHEN came < 0.78 THEN 'contact_no_answer'
      WHEN came < 0.86 THEN 'agent_no_answer' WHEN came < 0.91 THEN 'contact_busy'
      WHEN came < 0.94 THEN 'no_agent_available' WHEN came < 0.97 THEN 'canceled'
      WHEN came < 0.99 THEN 'contact_voicemail' WHEN came < 0.9999 THEN 'agent_declined'
      ELSE 'failed' END AS outcome
  FROM (
    SELECT n, now() - interval '{DAYS} days' * (1 - n::float / %(calls)s) AS at,
      CASE WHEN random() < 0.6 THEN 1 ELSE floor(2 + {ACCOUNTS - 1} * random())::int END AS account,
      random() AS kind, random() AS busy, random() AS dear, random() AS whom, random() AS came,
      random() AS pick, -90 * ln(1 - random()) AS talk
    FROM generate_series(1, %(calls)s) n OFFSET 0) drawn OFFSET 0) chosen
"""
_IS_WHOLE = "(c.id > %(calls)s - %(whole)s OR abs(c.id - %(calls)s / 2) < %(middle)s)"
_LEGS = f"""
INSERT INTO legs (call_id, position, role, user_id, to_uri, trunk_id, started_at, answered_at,
  ended_at, sip_status, q850_cause, reason, codec, quality)
SELECT c.id, p.position, p.role,
  CASE p.role WHEN 'agent' THEN coalesce(c.user_id, 1000 * c.account_id + 1 + c.id %% {USERS}) END,
  CASE p.role WHEN 'agent' THEN 'sip:agent@192.0.2.10' ELSE 'sip:' || c.contact_phone_number
    || '@192.0.2.1' END, CASE p.role WHEN 'contact' THEN c.account_id END, c.created_at,
  CASE WHEN p.role = 'agent' OR c.outcome = 'connected' THEN c.created_at + interval '5 s' END,
  c.ended_at, 200, 16, 'Normal call clearing', 'PCMU',
  '{{"packets_received": 3051, "packets_lost": 0, "jitter_ms": 0.4, "mos": 4.4}}'
FROM calls c, (VALUES (0::smallint, 'agent'), (1, 'contact')) p (position, role)
WHERE NOT (p.role = 'contact' AND coalesce(c.outcome, '') ~ 'agent') AND {_IS_WHOLE}
"""
_EVENTS = f"""
INSERT INTO call_events (account_id, call_id, sequence, type, at)
SELECT c.account_id, c.id, e.sequence, e.type, c.created_at + make_interval(secs => e.sequence)
FROM calls c, (VALUES (1, 'call.queued'), (2, 'call.agent_ringing'), (3, 'call.agent_connected'),
  (4, 'call.contact_ringing'), (5, 'call.bridged'), (6, 'call.ended')) e (sequence, type)
WHERE {_IS_WHOLE}
"""
_REMINDERS = """
INSERT INTO appointments (id, account_id, contact_id, reminder_plan_id, wall_starts_at, time_zone,
  starts_at, created_at, to_be_planned)
SELECT id, account_id, contact_id, 1000 * account_id + 1 + id %% 3, created_at, 'America/New_York',
  created_at + interval '1 day', created_at - interval '9 days', false
FROM calls WHERE source = 'reminder';
INSERT INTO reminders (id, account_id, appointment_id, moment, line_id, state, due_at, starts_at,
  attempts)
SELECT id, account_id, id, 0, 1000 * account_id + 1, 'done', created_at, starts_at, 1
FROM appointments;
INSERT INTO reminder_attempts (call_id, reminder_id, account_id, contact_id, placed_at,
  reminder_plan_id, moment, starts_at, time_zone, answer, settled)
SELECT a.id, a.id, a.account_id, a.contact_id, c.created_at, a.reminder_plan_id,
  '{"days_before": 1}', a.starts_at, 'America/Los_Angeles',
  CASE WHEN c.outcome = 'connected' THEN (ARRAY['confirmed', 'confirmed', 'heard', 'cancelled'])
    [1 + a.id % 4] END, true
FROM appointments a JOIN calls c ON c.id = a.id;
"""
_FILLED = "('calls', 'legs', 'call_events', 'appointments', 'reminders', 'reminder_attempts')"
_INDEXES = f"""
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
WHERE i.indrelid::regclass::text IN {_FILLED}
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
"""


def fill(url: str, calls: int) -> None:
    """Store so many calls, and what belongs to them; account 1, which is there, has most."""
    numbers = {
        "calls": calls,
        "contacts": max(ACCOUNTS, calls // CALLS_PER_CONTACT),
        "whole": WHOLE,
        "middle": _MIDDLE,
    }
    with psycopg.connect(url, autocommit=True) as connection:
        # What triggers and foreign keys would look at is right.
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '512MB'")
        indexes = connection.execute(_INDEXES).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute("SELECT setseed(0.5)")
        connection.execute(_DIRECTORY)
        for statement in (_CONTACTS, _CALLS, _LEGS, _EVENTS):
            connection.execute(statement, numbers)
        connection.execute(_REMINDERS.replace("%%", "%"))
        for _, definition in indexes:
            connection.execute(definition)
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
