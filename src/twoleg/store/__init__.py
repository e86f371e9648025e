"""The database: connections, the embedded server, tables and their migrations."""

from twoleg.store.database import Database
from twoleg.store.embedded import EmbeddedServer, open_or_join, running_url
from twoleg.store.errors import (
    DatabaseUnavailable,
    DataDirectoryInUse,
    EmbeddedServerFailed,
    EmbeddedServerNotRunning,
    NotOurDataDirectory,
    SchemaTooNew,
    SchemaTooOld,
    StoreError,
)

__all__ = [
    "DataDirectoryInUse",
    "Database",
    "DatabaseUnavailable",
    "EmbeddedServer",
    "EmbeddedServerFailed",
    "EmbeddedServerNotRunning",
    "NotOurDataDirectory",
    "SchemaTooNew",
    "SchemaTooOld",
    "StoreError",
    "open_or_join",
    "running_url",
]
