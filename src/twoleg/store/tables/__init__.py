"""The tables, as SQLAlchemy Core metadata; the migrations are proved equal to it.

Ids are bigint identities and times `timestamptz`. Directory things are never removed: what a call
record refers to keeps its row, marked by `deleted_at`. Columns that change while a call runs
(`status`, `sequence`) stand in no index, so that those updates stay on their page (HOT).
"""

from twoleg.store.tables.calls import (
    bindings,
    call_events,
    calls,
    engines,
    legs,
    lost_legs,
    reservations,
    trunk_slots,
    trunk_usage,
    waiting_calls,
)
from twoleg.store.tables.columns import metadata
from twoleg.store.tables.directory import (
    account_admissions,
    accounts,
    contact_phone_numbers,
    contacts,
    idempotency_keys,
    line_trunks,
    lines,
    ring_group_members,
    ring_groups,
    tokens,
    trunks,
    users,
)
from twoleg.store.tables.prompts import prompt_audio, prompts
from twoleg.store.tables.recordings import recordings, signing_keys
from twoleg.store.tables.reminders import (
    appointment_feeds,
    appointments,
    import_parts,
    import_refusals,
    imports,
    reminder_attempts,
    reminder_plans,
    reminders,
)
from twoleg.store.tables.speech import spoken_texts
from twoleg.store.tables.sums import call_sums, summed_days
from twoleg.store.tables.webhooks import (
    webhook_deliveries,
    webhook_position,
    webhook_receivers,
    webhook_totals,
    webhooks,
)

__all__ = [
    "account_admissions",
    "accounts",
    "appointment_feeds",
    "appointments",
    "bindings",
    "call_events",
    "call_sums",
    "calls",
    "contact_phone_numbers",
    "contacts",
    "engines",
    "idempotency_keys",
    "import_parts",
    "import_refusals",
    "imports",
    "legs",
    "line_trunks",
    "lines",
    "lost_legs",
    "metadata",
    "prompt_audio",
    "prompts",
    "recordings",
    "reminder_attempts",
    "reminder_plans",
    "reminders",
    "reservations",
    "ring_group_members",
    "ring_groups",
    "signing_keys",
    "spoken_texts",
    "summed_days",
    "tokens",
    "trunk_slots",
    "trunk_usage",
    "trunks",
    "users",
    "waiting_calls",
    "webhook_deliveries",
    "webhook_position",
    "webhook_receivers",
    "webhook_totals",
    "webhooks",
]
