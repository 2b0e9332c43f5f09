"""How log lines look: one line per event on stderr, the same for every process and library."""

import structlog


def configure_structured_logs() -> None:
    """Events of structlog go through the standard library's loggers: `event key=value ...`."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.KeyValueRenderer(key_order=["event"], drop_missing=True),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
