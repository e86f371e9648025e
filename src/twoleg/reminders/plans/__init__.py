"""Reminder plans of an account."""

from twoleg.reminders.plans.queries import (
    change_plan,
    create_plan,
    delete_plan,
    find_plan,
    list_plans,
)
from twoleg.reminders.plans.values import (
    MAX_MOMENTS,
    ChangeMeans,
    ReminderPlan,
    Voicemail,
    moment_from_json,
    moment_to_json,
)

__all__ = [
    "MAX_MOMENTS",
    "ChangeMeans",
    "ReminderPlan",
    "Voicemail",
    "change_plan",
    "create_plan",
    "delete_plan",
    "find_plan",
    "list_plans",
    "moment_from_json",
    "moment_to_json",
]
