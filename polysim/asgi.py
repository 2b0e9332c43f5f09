"""Sockets and streams: websockets go to Polysim's own applications, HTTP to Django.

Pages and the API are quicker behind `polysim.wsgi`; `polysim.serving` splits one port by path.
"""

import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polysim.settings")

_django = get_asgi_application()

from prop.consumers import PropSocket  # noqa: E402 - needs the apps to be loaded
from trading.consumers import SOCKETS  # noqa: E402
from trading.consumers import application as _sockets  # noqa: E402

# `trading` knows nothing of challenges; their socket joins the others here.
SOCKETS.setdefault("/ws/prop", PropSocket)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI application of the whole project."""
    if scope["type"] == "websocket":
        await _sockets(scope, receive, send)
    else:
        await _django(scope, receive, send)
