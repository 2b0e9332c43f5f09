"""When a delivery is tried again (partner-api B3, Delivery)."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# The pause before each attempt: 75:35:05 in all.
PAUSES = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
ATTEMPTS_MAX = len(PAUSES)
JITTER = 0.1
# A receiver that is overloaded gets at least this long before new events reach it.
SLOWED_FOR = timedelta(seconds=30)
RETRY_AFTER_MAX = timedelta(hours=24)


def next_pause(
    *, attempts: int, spread: float, retry_after: timedelta | None = None
) -> timedelta | None:
    """How long to wait after `attempts` attempts; None when the schedule is used up.

    `spread` from -1 to 1 moves the pause within +-10 %; a longer `retry_after` wins.
    """
    if attempts >= ATTEMPTS_MAX:
        return None
    pause = PAUSES[attempts] * (1 + JITTER * spread)
    return pause if retry_after is None else max(pause, retry_after)


def parse_retry_after(text: str | None, *, now: datetime) -> timedelta | None:
    """A `Retry-After` in seconds or as an HTTP date, at most 24 h; None without a usable one."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return min(timedelta(seconds=int(text)), RETRY_AFTER_MAX)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment - now, timedelta(0)), RETRY_AFTER_MAX)
