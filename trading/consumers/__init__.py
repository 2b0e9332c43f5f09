"""Sockets: plain ASGI applications over the process's one subscription (trading.hub).

`application` serves every websocket path of Polysim; `polysim.asgi` hands it all websockets.
"""

from trading.consumers.executions import ExecutionsSocket
from trading.consumers.prices import PricesSocket
from trading.consumers.socket import Receive, Scope, Send, Socket
from trading.consumers.terminal import TerminalSocket

SOCKETS: dict[str, type[Socket]] = {
    "/v1/ws/prices": PricesSocket,
    "/v1/ws/executions": ExecutionsSocket,
    "/ws/terminal": TerminalSocket,
}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of all sockets; an unknown path is refused before the accept."""
    socket = SOCKETS.get(scope["path"].rstrip("/"))
    if socket is None:
        await receive()
        await send({"type": "websocket.close", "code": 4404})
        return
    await socket(scope, receive, send).run()


__all__ = ["SOCKETS", "application"]
