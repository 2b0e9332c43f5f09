"""`/v1/ws/prices`: live prices for bots and pages (trading-api 10.1)."""

from typing import Any

from trading.consumers import limits, snapshots
from trading.consumers.identity import SocketIdentity, read_token_or_session_user
from trading.consumers.socket import (
    BAD_TOKEN,
    TOO_MANY_CONNECTIONS,
    Socket,
    server_time_ms,
)
from trading.consumers.upkeep import Upkeep
from trading.hub import price_topic

MARKETS_MAX = 50
PROTOCOL_VERSION = "1.0"


class ApiSocket(Socket):
    """A socket of the public API: signed in, counted against the user's plan."""

    identity: SocketIdentity
    _place: limits.Place | None = None
    _upkeep: Upkeep | None = None

    async def opened(self) -> bool:
        identity = await read_token_or_session_user(self.scope)
        if identity is None:
            await self.close(BAD_TOKEN)
            return False
        self.identity = identity
        place = limits.Place(self.hub.client, identity.user_id, pool="api")
        if not await place.take(await limits.api_sockets_max(identity.plan)):
            await self.close(TOO_MANY_CONNECTIONS)
            return False
        self._place = place
        self._upkeep = Upkeep(self.hub.client, place, self.watched_markets)
        return True

    def watched_markets(self) -> list[str]:
        """Markets whose feed this socket keeps alive."""
        return []

    async def greet(self) -> None:
        await self.send_frame(
            {
                "type": "connected",
                "user_id": self.identity.user_id,
                "protocol_version": PROTOCOL_VERSION,
            }
        )

    async def closed(self) -> None:
        if self._upkeep is not None:
            self._upkeep.stop()
        if self._place is not None:
            await self._place.give_back()

    async def answer_ping(self) -> None:
        """The application's own ping."""
        await self.send_frame({"type": "pong", "ts": server_time_ms()})


class PricesSocket(ApiSocket):
    """Subscribes to at most 50 markets; `seq` rises per market and connection."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._sequences: dict[str, int] = {}

    def watched_markets(self) -> list[str]:
        return list(self._sequences)

    async def answer(self, message: dict[str, Any]) -> None:
        action = message.get("action", message.get("type"))
        if action == "ping":
            await self.answer_ping()
        elif action in ("subscribe", "unsubscribe"):
            await self._change(action, message)
        else:
            await self.send_error("Unknown action; known are subscribe, unsubscribe and ping.")

    async def _change(self, action: str, message: dict[str, Any]) -> None:
        listed = message.get("markets", message.get("conditions"))
        wanted = snapshots.read_condition_ids(listed, limit=MARKETS_MAX)
        if wanted is None:
            await self.send_error("markets must be a list of condition ids.")
            return
        if action == "unsubscribe":
            for condition_id in wanted:
                self._forget(condition_id)
            await self._confirm()
            return
        added = [condition_id for condition_id in wanted if condition_id not in self._sequences]
        if not all(snapshots.CONDITION_ID.match(condition_id) for condition_id in added):
            await self.send_error("markets takes condition ids only (0x and 64 hex digits).")
            return
        if len(self._sequences) + len(added) > MARKETS_MAX:
            await self.send_error(f"At most {MARKETS_MAX} markets per connection.")
            return
        await self._add(added)

    async def _add(self, added: list[str]) -> None:
        assert self.mailbox is not None
        for condition_id in added:
            self._sequences[condition_id] = 0
            self.hub.subscribe(self.mailbox, price_topic(condition_id))
        await self._confirm()
        await snapshots.note_interest(self.hub.client, added)
        found = await snapshots.price_snapshots(self.hub.client, added)
        for condition_id in added:
            if condition_id in found:
                topic = price_topic(condition_id)
                await self.send_text(self.decorate(topic, found[condition_id]))
            else:
                self._forget(condition_id)
                await self.send_error(f"Unknown market {condition_id}.")

    def _forget(self, condition_id: str) -> None:
        if self._sequences.pop(condition_id, None) is not None and self.mailbox is not None:
            self.hub.unsubscribe(self.mailbox, price_topic(condition_id))

    async def _confirm(self) -> None:
        await self.send_frame({"type": "subscribed", "markets": list(self._sequences)})

    async def resync(self) -> None:
        condition_ids = list(self._sequences)
        found = await snapshots.price_snapshots(self.hub.client, condition_ids)
        for condition_id, text in found.items():
            await self.send_text(self.decorate(price_topic(condition_id), text))

    def decorate(self, topic: str, text: str) -> str:
        condition_id = topic.removeprefix("price:")
        if condition_id not in self._sequences:
            return text
        sequence = self._sequences[condition_id] = self._sequences[condition_id] + 1
        # "type" stays the first member; the frame itself was serialised by its publisher.
        return f'{{"type":"price","seq":{sequence}{text[len(_PRICE_START) :]}'


_PRICE_START = '{"type":"price"'
