"""Appointments of an account."""

from twoleg.reminders.appointments.queries import (
    change_appointment,
    create_appointment,
    delete_appointment,
    find_appointment,
    list_appointments,
)
from twoleg.reminders.appointments.values import (
    ANSWERED,
    Appointment,
    AppointmentFilter,
    AppointmentStatus,
    ReminderState,
)

__all__ = [
    "ANSWERED",
    "Appointment",
    "AppointmentFilter",
    "AppointmentStatus",
    "ReminderState",
    "change_appointment",
    "create_appointment",
    "delete_appointment",
    "find_appointment",
    "list_appointments",
]
