"""`/ws/prop/`: news of a person's own challenges (prop-client 6).

Frames are the events of prop-backoffice 6.7 and a `prop.metric` at each stored metric; on a
firm's host those of that firm, on the platform's host all of the person's or those of `?tenant=`.
Nothing is sent before there is news: rows tell what was.
"""

import json
from typing import Any
from urllib.parse import parse_qs

from tenants.lookups import find_firm_by_host
from tenants.models import FirmKind
from trading.consumers.identity import header, in_database_thread, is_own_origin, read_session_user
from trading.consumers.limits import PAGE_SOCKETS_MAX, Place
from trading.consumers.socket import (
    POLICY_VIOLATION,
    TOO_MANY_CONNECTIONS,
    Socket,
    server_time_ms,
)
from trading.consumers.upkeep import Upkeep
from trading.hub import user_topic

NOT_SIGNED_IN = 4001


class PropSocket(Socket):
    """Signed in by the session; needs no subscription."""

    _place: Place | None = None
    _upkeep: Upkeep | None = None
    _schema: str | None = None
    _user_id: int = 0

    async def opened(self) -> bool:
        if not is_own_origin(self.scope):
            await self.close(POLICY_VIOLATION)
            return False
        identity = await read_session_user(self.scope)
        if identity is None:
            await self.close(NOT_SIGNED_IN)
            return False
        place = Place(self.hub.client, identity.user_id, pool="pages")
        if not await place.take(PAGE_SOCKETS_MAX):
            await self.close(TOO_MANY_CONNECTIONS)
            return False
        self._place = place
        self._upkeep = Upkeep(self.hub.client, place, list)
        self._user_id = identity.user_id
        self._schema = await in_database_thread(self._read_schema)
        return True

    def _read_schema(self) -> str | None:
        """The firm whose news is wanted; None = all of the person's."""
        asked = parse_qs(self.scope.get("query_string", b"").decode("latin1")).get("tenant", [""])
        if asked[0]:
            return asked[0]
        host = header(self.scope, b"host").rsplit(":", 1)[0]
        firm = find_firm_by_host(host)
        is_firm = firm is not None and firm.kind != FirmKind.RETAIL
        return firm.schema_name if is_firm and firm is not None else None

    async def closed(self) -> None:
        if self._upkeep is not None:
            self._upkeep.stop()
        if self._place is not None:
            await self._place.give_back()

    async def greet(self) -> None:
        assert self.mailbox is not None
        self.hub.subscribe(self.mailbox, user_topic(self._user_id))
        await self.resync()

    async def resync(self) -> None:
        await self.send_frame({"type": "hello", "server_time_ms": server_time_ms()})

    async def answer(self, message: dict[str, Any]) -> None:
        if message.get("action") == "ping":
            await self.send_frame({"type": "pong", "ts": server_time_ms()})
        else:
            await self.send_error("Unknown action; known is ping.")

    async def send_text(self, text: str) -> None:
        if text:
            await super().send_text(text)

    def decorate(self, topic: str, text: str) -> str:
        """Frames about challenges of the wanted firm; others are not for this socket."""
        if topic != "event":
            return text
        frame = json.loads(text)
        if frame.get("type") != "prop":
            return ""
        if self._schema is not None and frame.get("schema") != self._schema:
            return ""
        return text
