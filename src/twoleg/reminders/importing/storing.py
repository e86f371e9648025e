"""Storing what an importer read: many rows in a statement, and the same rows twice change nothing.

A row with an `external_id` is the appointment that has it; one without is that of the same contact
at the same time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from twoleg.directory.importing.rows import Stored
from twoleg.directory.importing.taking_in import lock_imports
from twoleg.reminders.importing.rows import ImportedAppointment
from twoleg.store.database import Connection

_STORE: Final = """
WITH asked AS (
  SELECT %(account)s::bigint AS account_id, %(plan)s::bigint AS plan_id, %(feed)s::bigint AS feed_id
), wanted AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS x(
    "row" integer, phone_number text, name text, language text, wall_starts_at timestamp,
    time_zone text, starts_at timestamptz, duration_minutes integer, place text, staff text,
    notes text, external_id text, cancelled bool)
), numbers AS MATERIALIZED (
  SELECT DISTINCT ON (w.phone_number) w.phone_number, w.name, w.language, (
    SELECT min(c.id) FROM contact_phone_numbers p JOIN contacts c ON c.id = p.contact_id
    WHERE p.account_id = q.account_id AND p.phone_number = w.phone_number
      AND c.deleted_at IS NULL
  ) AS known_id
  FROM wanted w, asked q ORDER BY w.phone_number, w."row"
), people AS MATERIALIZED (
  SELECT n.*, coalesce(known_id,
      nextval((SELECT pg_get_serial_sequence('contacts', 'id')::regclass))) AS contact_id
  FROM numbers n
), new_contacts AS (
  INSERT INTO contacts (id, account_id, name, phone_number, language) OVERRIDING SYSTEM VALUE
  SELECT contact_id, account_id, name, phone_number, language FROM people, asked
  WHERE known_id IS NULL
), new_numbers AS (
  INSERT INTO contact_phone_numbers (contact_id, account_id, phone_number)
  SELECT contact_id, account_id, phone_number FROM people, asked WHERE known_id IS NULL
), stored AS (
  INSERT INTO appointments AS a (account_id, contact_id, reminder_plan_id, feed_id, external_id,
    wall_starts_at, time_zone, starts_at, duration_minutes, place, staff, notes, status)
  SELECT q.account_id, p.contact_id, q.plan_id, q.feed_id, w.external_id, w.wall_starts_at,
    w.time_zone, w.starts_at, w.duration_minutes, w.place, w.staff, w.notes,
    CASE WHEN w.cancelled THEN 'cancelled' ELSE 'scheduled' END
  FROM asked q, wanted w JOIN people p USING (phone_number)
  WHERE CASE WHEN w.external_id IS NULL
    THEN NOT w.cancelled AND NOT EXISTS (
      SELECT FROM appointments b WHERE b.contact_id = p.contact_id AND b.deleted_at IS NULL
        AND b.starts_at = w.starts_at)
    ELSE NOT w.cancelled OR EXISTS (
      SELECT FROM appointments b WHERE b.account_id = q.account_id AND b.deleted_at IS NULL
        AND coalesce(b.feed_id, 0) = coalesce(q.feed_id, 0) AND b.external_id = w.external_id)
    END
  ORDER BY w."row"
  ON CONFLICT (account_id, coalesce(feed_id, 0), external_id) WHERE deleted_at IS NULL
  DO UPDATE SET contact_id = excluded.contact_id, wall_starts_at = excluded.wall_starts_at,
    time_zone = excluded.time_zone, starts_at = excluded.starts_at,
    duration_minutes = excluded.duration_minutes, place = excluded.place, staff = excluded.staff,
    notes = excluded.notes, to_be_planned = true, missing_since = NULL,
    status_at = CASE WHEN excluded.status = 'cancelled' OR a.starts_at <> excluded.starts_at
        OR (a.missing_since IS NOT NULL AND a.status = 'cancelled')
      THEN now() ELSE a.status_at END,
    status = CASE WHEN excluded.status = 'cancelled' OR a.starts_at <> excluded.starts_at
        OR (a.missing_since IS NOT NULL AND a.status = 'cancelled')
      THEN excluded.status ELSE a.status END,
    status_call_id = CASE WHEN excluded.status = 'cancelled' OR a.starts_at <> excluded.starts_at
      THEN NULL ELSE a.status_call_id END
  WHERE (a.contact_id, a.wall_starts_at, a.time_zone, a.duration_minutes, a.place, a.staff,
      a.notes) IS DISTINCT FROM (excluded.contact_id, excluded.wall_starts_at, excluded.time_zone,
      excluded.duration_minutes, excluded.place, excluded.staff, excluded.notes)
    OR (excluded.status = 'cancelled' AND a.status <> 'cancelled')
    OR a.missing_since IS NOT NULL
  RETURNING xmax = 0 AS is_new
)
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM stored
"""


async def store_rows(
    connection: Connection,
    account_id: int,
    rows: Sequence[ImportedAppointment],
    *,
    plan_id: int | None,
    feed_id: int | None = None,
) -> Stored:
    """Store a batch of rows in the caller's transaction; of rows for one appointment the last."""
    last = {key_of(row): row for row in rows}
    await lock_imports(connection, account_id)
    parameters = {
        "rows": json.dumps([asdict(row) for row in last.values()], default=str),
        "account": account_id,
        "plan": plan_id,
        "feed": feed_id,
    }
    cursor = await connection.execute(_STORE, parameters, prepare=True)
    [(created, changed)] = await cursor.fetchall()
    return Stored(created, changed, len(rows) - created - changed)


def key_of(row: ImportedAppointment) -> tuple[object, ...]:
    """Return by what a row's appointment is found."""
    if row.external_id is not None:
        return (row.external_id,)
    return (row.phone_number, row.starts_at)
