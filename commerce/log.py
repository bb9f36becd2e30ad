"""Log lines on stdout: static event names, flat keys, JSON unless a person is looking."""

import logging
import sys
from typing import Final

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from commerce.settings import LogFormat, LogLevel

# Without local variables: a password may be among them.
_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    ExceptionDictTransformer(show_locals=False)
)


def configure(log_format: LogFormat, level: LogLevel) -> None:
    """Set up structlog and send the libraries' own records through it."""
    as_console = log_format == "console" or (log_format == "auto" and sys.stdout.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if as_console
        else [_TRACEBACKS, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.getLogger("psycopg").addFilter(_tells_something_new)
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


def _tells_something_new(record: logging.LogRecord) -> bool:
    # A refused statement breaks its pipeline off; the refusal itself is on its way to the caller.
    return not record.getMessage().endswith("pipeline aborted")
