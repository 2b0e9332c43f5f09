"""The body of a webhook: minified JSON of at most 20 KB (partner-api B3)."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

BODY_BYTES_MAX = 20_000
# What a firm stored itself goes first, as it can be read again with the ids that stay.
DROPPED_FIRST = ("metadata", "rules")
OMITTED = "omitted"


def render_body(*, type: str, occurred_at: datetime, data: Mapping[str, Any]) -> str:  # noqa: A002
    """`{"type", "timestamp", "data"}`; members of `data` that do not fit are named in `omitted`.

    `metadata` and `rules` give way first, then the largest member each time.
    """
    kept = dict(data)
    omitted: list[str] = []
    while True:
        body = _minified(type, occurred_at, kept, omitted)
        if len(body.encode()) <= BODY_BYTES_MAX or not kept:
            return body
        name = _next_to_drop(kept)
        omitted.append(name)
        del kept[name]


def _minified(
    type: str,  # noqa: A002
    occurred_at: datetime,
    data: Mapping[str, Any],
    omitted: list[str],
) -> str:
    timestamp = occurred_at.astimezone(UTC).isoformat(timespec="microseconds")
    shown = {**data, OMITTED: omitted} if omitted else dict(data)
    message = {"type": type, "timestamp": timestamp.replace("+00:00", "Z"), "data": shown}
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def _next_to_drop(data: Mapping[str, Any]) -> str:
    for name in DROPPED_FIRST:
        if data.get(name):
            return name
    return max(data, key=lambda name: len(json.dumps(data[name], default=str)))
