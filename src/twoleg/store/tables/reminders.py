"""Appointments, when their contacts are called, and the files that they come from."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from twoleg.store.tables.columns import (
    NOT_DELETED,
    boolean_column,
    created_at,
    id_column,
    integer_column,
    metadata,
    object_column,
    one_of,
    reference,
    text_column,
    time_column,
)


def _prompt(column: str) -> ForeignKeyConstraint:
    """Return the rule that `column` names a prompt of the same account, which then stays."""
    return ForeignKeyConstraint(
        ["account_id", column], ["prompts.account_id", "prompts.id"], ondelete="RESTRICT"
    )


reminder_plans = Table(
    "reminder_plans",
    metadata,
    id_column(),
    reference("account_id", "accounts"),
    text_column("name"),
    # For appointments that name no plan.
    boolean_column("is_default"),
    boolean_column("active", "true"),
    reference("line_id", "lines"),
    # Whom "talk to staff" rings; null: nobody, and the digit is not offered.
    reference("ring_group_id", "ring_groups", nullable=True),
    # A list of days_before with or without a fixed time, or minutes_before.
    Column("moments", JSONB, nullable=False),
    # What is said, with variables; or else an uploaded prompt.
    Column("text", Text),
    Column("prompt_id", BigInteger),
    # Null: the contact's.
    Column("language", Text),
    # What the digit 2 asks for.
    text_column("change_means", "reschedule"),
    text_column("voicemail", "hang_up"),
    Column("voicemail_text", Text),
    Column("voicemail_prompt_id", BigInteger),
    # Null: the account's.
    Column("quiet_hours", JSONB(none_as_null=True)),
    # ISO: 1 is Monday.
    Column(
        "weekdays",
        ARRAY(SmallInteger),
        nullable=False,
        server_default=text("'{1,2,3,4,5,6,7}'::smallint[]"),
    ),
    boolean_column("skip_holidays"),
    integer_column("ring_seconds", 60),
    integer_column("max_attempts", 3),
    integer_column("retry_busy_minutes", 10),
    integer_column("retry_no_answer_minutes", 120),
    integer_column("max_calls_per_day", 3),
    integer_column("max_calls_per_30_days", 10),
    created_at(),
    time_column("deleted_at"),
    one_of("change_means", "reschedule", "cancel"),
    one_of("voicemail", "hang_up", "message"),
    _prompt("prompt_id"),
    _prompt("voicemail_prompt_id"),
    Index(None, "account_id", "id"),
)
Index(
    "uq_reminder_plans_default",
    reminder_plans.c.account_id,
    unique=True,
    postgresql_where=text("is_default AND deleted_at IS NULL"),
)

# Calendars that are read again and again.
appointment_feeds = Table(
    "appointment_feeds",
    metadata,
    id_column(),
    reference("account_id", "accounts"),
    text_column("name"),
    text_column("url"),
    reference("reminder_plan_id", "reminder_plans", nullable=True),
    # Of events that name none.
    text_column("time_zone", "UTC"),
    # Of phone numbers without one.
    Column("country", Text),
    integer_column("poll_minutes", 15),
    boolean_column("active", "true"),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("next_poll_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    time_column("polled_at"),
    # When the calendar was read last: `polled_at` is later where it had not changed since.
    time_column("read_at"),
    text_column("state", "unknown"),
    Column("state_detail", Text),
    integer_column("events", 0),
    integer_column("events_refused", 0),
    created_at(),
    time_column("deleted_at"),
    one_of("state", "unknown", "ok", "failed"),
    Index(None, "account_id", "id"),
)
Index(
    "ix_appointment_feeds_next_poll_at",
    appointment_feeds.c.next_poll_at,
    postgresql_where=text("active AND deleted_at IS NULL"),
)

appointments = Table(
    "appointments",
    metadata,
    id_column(),
    reference("account_id", "accounts"),
    reference("contact_id", "contacts"),
    reference("reminder_plan_id", "reminder_plans", nullable=True),
    reference("feed_id", "appointment_feeds", nullable=True),
    # Of the system that the appointment comes from.
    Column("external_id", Text),
    # What the clock on the wall of `time_zone` shows; `starts_at` is the instant that it means.
    Column("wall_starts_at", DateTime(timezone=False), nullable=False),
    text_column("time_zone"),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("duration_minutes", Integer),
    Column("place", Text),
    Column("staff", Text),
    Column("notes", Text),
    text_column("status", "scheduled"),
    Column("status_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # The reminder call that the status comes from. No foreign key: calls are removed by themselves.
    Column("status_call_id", BigInteger),
    # Of its last event; a trigger counts.
    integer_column("sequence", 1),
    # Something that its reminders' times depend on has changed.
    boolean_column("to_be_planned", "true"),
    # Since when its feed has not named it.
    time_column("missing_since"),
    created_at(),
    time_column("deleted_at"),
    one_of(
        "status",
        "scheduled",
        "reminded",
        "confirmed",
        "reschedule_requested",
        "cancelled",
        "opted_out",
        "unreachable",
        "callback_requested",
    ),
    Index(None, "account_id", "id"),
    Index(None, "account_id", "starts_at"),
    Index(None, "contact_id"),
    Index(None, "reminder_plan_id"),
)
Index(
    "ix_appointments_to_be_planned",
    appointments.c.starts_at,
    postgresql_where=text("to_be_planned"),
)
Index(
    "uq_appointments_external_id",
    appointments.c.account_id,
    func.coalesce(appointments.c.feed_id, text("0")),
    appointments.c.external_id,
    unique=True,
    postgresql_where=NOT_DELETED,
)

# One for each moment of the plan. `starts_at` is the appointment's, for the order of the queue.
reminders = Table(
    "reminders",
    metadata,
    id_column(),
    Column("account_id", BigInteger, nullable=False),
    Column(
        "appointment_id",
        BigInteger,
        ForeignKey("appointments.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("moment", SmallInteger, nullable=False),
    # The plan's, whose trunks pace the calls.
    Column("line_id", BigInteger, nullable=False),
    text_column("state", "planned"),
    time_column("due_at"),
    # When it was to be called at first; `due_at` is later where it was put off, or is tried again.
    time_column("planned_for"),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    # Why it was dropped.
    Column("reason", Text),
    # What its call says was given to be spoken ahead.
    boolean_column("spoken"),
    # The contact's, when it was planned; null for what was never to be called.
    Column("time_zone", Text),
    UniqueConstraint("appointment_id", "moment"),
    one_of("state", "planned", "calling", "done", "dropped"),
    CheckConstraint("state <> 'planned' OR due_at IS NOT NULL", name="planned_is_due"),
)
Index(
    "ix_reminders_to_be_spoken",
    reminders.c.due_at,
    postgresql_where=text("state = 'planned' AND NOT spoken"),
)
Index(
    "ix_reminders_line_id_due_at",
    reminders.c.line_id,
    reminders.c.due_at,
    postgresql_where=text("state = 'planned'"),
)

# The calls of a reminder. `settled`: what came of the call is on the reminder and appointment.
# What the reminder was then is kept for the reports: plans and appointments change. The statement
# that writes one writes its call and its reminder too, so that it needs no foreign keys; triggers
# let it go with either.
reminder_attempts = Table(
    "reminder_attempts",
    metadata,
    Column("call_id", BigInteger, primary_key=True, autoincrement=False),
    Column("reminder_id", BigInteger, nullable=False),
    Column("account_id", BigInteger, nullable=False),
    Column("contact_id", BigInteger, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("reminder_plan_id", BigInteger, nullable=False),
    Column("moment", JSONB, nullable=False),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    # The contact's.
    text_column("time_zone"),
    Column("answer", Text),
    boolean_column("settled"),
    # It was the last one, and in vain.
    boolean_column("given_up"),
    one_of(
        "answer",
        "confirmed",
        "reschedule_requested",
        "cancelled",
        "talked",
        "callback_requested",
        "opted_out",
        "heard",
        "message_left",
    ),
    Index(None, "reminder_id"),
    Index(None, "contact_id", "placed_at"),
    Index(None, "account_id", "placed_at"),
)
Index(
    "ix_reminder_attempts_unsettled",
    reminder_attempts.c.call_id,
    postgresql_where=text("NOT settled"),
)

# Files that are being taken in, and what came of them.
imports = Table(
    "imports",
    metadata,
    id_column(),
    reference("account_id", "accounts"),
    text_column("kind"),
    text_column("state", "waiting"),
    # How the file is to be read: see directory/importing/imports.py.
    object_column("options"),
    integer_column("bytes", 0),
    Column("bytes_read", Integer, nullable=False, server_default="0"),
    integer_column("rows_read", 0),
    integer_column("rows_created", 0),
    integer_column("rows_changed", 0),
    integer_column("rows_unchanged", 0),
    integer_column("rows_refused", 0),
    Column("failure", Text),
    # Until then the worker that has it is taken to be alive.
    time_column("leased_until"),
    created_at(),
    time_column("ended_at"),
    one_of("kind", "appointments_csv", "appointments_calendar", "contacts_csv"),
    one_of("state", "waiting", "running", "done", "failed"),
    Index(None, "account_id", "id"),
)
Index("ix_imports_open", imports.c.id, postgresql_where=text("ended_at IS NULL"))

import_parts = Table(
    "import_parts",
    metadata,
    Column("import_id", BigInteger, ForeignKey("imports.id", ondelete="CASCADE"), nullable=False),
    Column("part", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("import_id", "part"),
)

import_refusals = Table(
    "import_refusals",
    metadata,
    id_column(),
    Column("import_id", BigInteger, ForeignKey("imports.id", ondelete="CASCADE"), nullable=False),
    Column("row", Integer, nullable=False),
    Column("column_name", Text, nullable=False),
    Column("message", Text, nullable=False),
    object_column("row_values"),
    Index(None, "import_id", "id"),
)
