"""The URL of a database: accepted in the spellings that people copy, handed to libpq in one."""

from __future__ import annotations

from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

CONNECT_TIMEOUT_SECONDS: Final = 5
# A server that vanished without a word is noticed within about half a minute: by keepalives where
# nothing is under way, by the timeout (in milliseconds) where a statement was sent.
_DEFAULTS: Final = {
    "application_name": "twoleg",
    "connect_timeout": str(CONNECT_TIMEOUT_SECONDS),
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}


def connection_string(url: str) -> str:
    """Return libpq's conninfo for `url`, with our defaults for what it leaves open.

    Takes `postgresql://`, `postgres://`, SQLAlchemy's `postgresql+psycopg://`, and conninfo.
    Raises psycopg.ProgrammingError where it is none of these.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme.partition("+")[0] in {"postgres", "postgresql"}:
        url = f"postgresql://{rest}"
    given = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    return make_conninfo("", **{**_DEFAULTS, **given})
