"""How log lines look: one line per event on stderr, the same for every process and library."""

import logging
import re

import structlog

# The address of a login link is a key to an account (partner-api 3).
LINK_TOKEN = re.compile(r"(/link/)[A-Za-z0-9_-]{16,}")


class HideLinkTokens(logging.Filter):
    """Takes the tokens of login links out of every line, such as Django's on a 410 or 500."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if "/link/" in text:
            record.msg, record.args = LINK_TOKEN.sub(r"\1…", text), ()
        return True


class CalmRefusals(logging.Filter):
    """Takes the traceback from Django's warning of a refusal (403): nothing is broken."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "django.request" and record.levelno < logging.ERROR:
            record.exc_info = record.exc_text = None
        return True


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
