"""The one place that reads the clock and writes times as text.

Services take `now` as an argument; only doors (views, tasks, commands, processes) call `utc_now`.
"""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The current moment, aware, in UTC."""
    return datetime.now(UTC)


def to_milliseconds(moment: datetime) -> int:
    """Unix milliseconds of an aware datetime, rounded down."""
    return int(moment.timestamp() * 1000)


def from_milliseconds(milliseconds: int) -> datetime:
    """The aware UTC datetime of unix milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def start_of_hour(moment: datetime) -> datetime:
    """The UTC hour that holds `moment`."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def iso_text(moment: datetime | None) -> str | None:
    """ISO-8601 in UTC with `Z`: seconds, or milliseconds where they are not zero."""
    if moment is None:
        return None
    moment = moment.astimezone(UTC)
    precision = "milliseconds" if moment.microsecond >= 1000 else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def iso_micro_text(moment: datetime | None) -> str | None:
    """ISO-8601 in UTC with `Z` and always microseconds: times of the partner door."""
    if moment is None:
        return None
    text = moment.astimezone(UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")
