"""Users of an account, their SIP credentials and their phones."""

from twoleg.directory.users.queries import (
    change_user,
    create_user,
    delete_user,
    find_user,
    list_endpoints,
    list_users,
)
from twoleg.directory.users.values import (
    SIP_REALM,
    Availability,
    Endpoint,
    User,
    UserWithPassword,
    is_email,
    is_sip_username,
)

__all__ = [
    "SIP_REALM",
    "Availability",
    "Endpoint",
    "User",
    "UserWithPassword",
    "change_user",
    "create_user",
    "delete_user",
    "find_user",
    "is_email",
    "is_sip_username",
    "list_endpoints",
    "list_users",
]
