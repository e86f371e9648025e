"""Log set-up: lines for people on a terminal, JSON otherwise, on standard error."""

from __future__ import annotations

import logging
import sys
from typing import Final

import structlog

from twoleg.settings import LogFormat

QUIET = ("alembic", "httpx", "procrastinate", "uvicorn")
"""Libraries that tell what we tell ourselves, or, as httpx, whole URLs with a token in them."""


_TRACEBACKS: Final = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
"""Variables are left out: they hold passwords and whole calls, 200 kB of text for one mishap."""

_EXTRA: Final = structlog.stdlib.ExtraAdder()


def configure_logs(log_format: LogFormat, level: str) -> None:
    """Send structlog's and the standard library's records through one formatter.

    What `structlog.contextvars` holds (call id) stands on every line, and so does what a record of
    ours has as `extra` (leg).
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    console = log_format is LogFormat.CONSOLE or (
        log_format is LogFormat.AUTO and sys.stderr.isatty()
    )
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [
            structlog.processors.ExceptionRenderer(_TRACEBACKS),
            structlog.processors.JSONRenderer(),
        ]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _with_our_extra],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _with_our_extra(
    logger: logging.Logger, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Add what a record of ours has as `extra`; libraries put whole objects there."""
    record: logging.LogRecord = event["_record"]
    return _EXTRA(logger, method, event) if record.name.startswith("twoleg.") else event
