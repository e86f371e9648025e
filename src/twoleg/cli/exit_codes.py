"""The exit codes that scripts can rely on (names after sysexits.h)."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    FAILED = 1
    """What was asked for did not come about: a call not connected, a check not passed."""
    USAGE = 2
    """The command line is wrong."""
    REFUSED = 65
    """The service refused the input; its message names the field."""
    UNAVAILABLE = 69
    """The service cannot be reached, or has no database at the moment."""
    NO_PERMISSION = 77
    """The token is missing, unknown, or may not do this."""
    CONFIG = 78
    """A setting, a port, a data directory or a schema must be mended first."""
