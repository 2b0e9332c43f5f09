"""Filling in events whose row holds ids only, when their deliveries are made (partner-api B3).

Triggers write `trade.filled` and `position.settled` with `{"trade_id"}` and `order.cancelled` with
`{"order_id"}`. The rows behind them do not change any more, so rendering later says the same.
Apps right of this one register their functions in `AppConfig.ready`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import ObjectDoesNotExist

from tenants.office.models import EVENT_TYPES

Renderer = Callable[[Mapping[str, Any]], Mapping[str, Any]]
_renderers: dict[str, Renderer] = {}


def register_renderer(event_type: str, function: Renderer) -> None:
    """Let `function(ids)` make the data of events of this type, inside their building.

    It answers the ids and the row that they lead to, as JSON (money as text).
    """
    if event_type not in EVENT_TYPES:
        raise ValueError(f"{event_type} is no type of event")
    _renderers[event_type] = function


def render_data(event_type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The data to deliver; what has no renderer, or no row any more, goes out as it was written."""
    renderer = _renderers.get(event_type)
    if renderer is None:
        return dict(data)
    try:
        return dict(renderer(data))
    except ObjectDoesNotExist:
        return dict(data)
