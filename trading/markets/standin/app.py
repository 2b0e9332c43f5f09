"""The ASGI application: all doors of the venue on one origin (polymarket-feed 11)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from trading.markets.standin.clob_door import ClobDoor
from trading.markets.standin.control import Control, Driver
from trading.markets.standin.data_door import DataDoor
from trading.markets.standin.faults import Faults
from trading.markets.standin.gamma_door import GammaDoor
from trading.markets.standin.replies import answer_text, refuse
from trading.markets.standin.socket import MarketSocket
from trading.markets.standin.venue import Venue, wall_ms

STEP_S: Final = 0.1
FAULT_TEXTS: Final = {
    425: "Service not ready",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class FaultMiddleware:
    """Lets HTTP requests meet the faults that are switched on; hooks always work."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and not path.startswith("/control"):
            fault = self._faults.http_fault(path)
            if fault is not None:
                await asyncio.sleep(fault.delay_ms / 1000)
                if fault.status != 200 or fault.body is not None:
                    text = FAULT_TEXTS.get(fault.status, "")
                    response = refuse(fault.status, text)
                    if fault.body is not None:
                        response = answer_text(fault.body, fault.status)
                    if fault.retry_after:
                        response.headers["Retry-After"] = fault.retry_after
                    await response(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def make_app(venue: Venue, driver: Driver, mode: str) -> Starlette:
    """The application of one venue; while it runs, the driver is stepped ten times a second."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        runner = asyncio.create_task(_run(driver))
        yield
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)

    async def not_found(_request: Request, _error: Exception) -> Response:
        return refuse(404, "not found")

    socket = MarketSocket(venue)
    app = Starlette(
        routes=[
            Mount("/gamma", routes=GammaDoor(venue).routes()),
            Mount("/clob", routes=ClobDoor(venue).routes()),
            Mount("/data", routes=DataDoor(venue).routes()),
            Mount("/control", routes=Control(venue, driver, mode).routes()),
            WebSocketRoute("/ws/market", socket.serve),
        ],
        lifespan=lifespan,
        exception_handlers={404: not_found},
    )
    app.add_middleware(FaultMiddleware, faults=venue.faults)
    return app


async def _run(driver: Driver) -> None:
    while True:
        driver.step(wall_ms())
        await asyncio.sleep(STEP_S)
