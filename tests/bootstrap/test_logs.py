"""Log lines of refused requests carry no traceback; those of defects do."""

import logging

import pytest

from polysim.logs import CalmRefusals


def caught(name: str, level: int) -> logging.LogRecord:
    failure = (PermissionError, PermissionError("no right"), None)
    return logging.LogRecord(name, level, __file__, 1, "Forbidden: /backoffice/", (), failure)


@pytest.mark.parametrize(
    ("name", "level", "is_kept"),
    [
        ("django.request", logging.WARNING, False),
        ("django.request", logging.ERROR, True),
        ("prop.tasks", logging.WARNING, True),
    ],
)
def test_only_a_refusals_traceback_is_dropped(name: str, level: int, is_kept: bool) -> None:
    record = caught(name, level)

    assert CalmRefusals().filter(record)
    assert (record.exc_info is not None) is is_kept
