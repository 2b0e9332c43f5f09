"""`/ws/terminal/`: the one socket of a page, signed in by the session or anonymous (ui).

Frames carry `seq`, counted per socket without gaps: a page that sees a gap asks for a resync.
"""

import json
from typing import Any

import redis

from trading.consumers import limits, snapshots
from trading.consumers.identity import SocketIdentity, is_own_origin, read_session_user
from trading.consumers.socket import (
    POLICY_VIOLATION,
    TOO_MANY_CONNECTIONS,
    Socket,
    server_time_ms,
)
from trading.consumers.upkeep import Upkeep
from trading.hub import FEED_TOPIC, book_topic, market_topic, price_topic, user_topic

MARKETS_MAX = 200
BOOKS_MAX = 10
PROTOCOL_VERSION = "1.0"


class TerminalSocket(Socket):
    """Prices, ladders, trades, the feed's state and, for its user, everything about money."""

    identity: SocketIdentity | None = None
    _place: limits.Place | None = None
    _upkeep: Upkeep | None = None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._markets: dict[str, None] = {}
        self._books: dict[str, None] = {}
        self._account: int | None = None
        self._sequence = 0

    async def opened(self) -> bool:
        if not is_own_origin(self.scope):
            await self.close(POLICY_VIOLATION)
            return False
        self.identity = await read_session_user(self.scope)
        if self.identity is not None:
            place = limits.Place(self.hub.client, self.identity.user_id, pool="pages")
            if not await place.take(limits.PAGE_SOCKETS_MAX):
                await self.close(TOO_MANY_CONNECTIONS)
                return False
            self._place = place
        self._upkeep = Upkeep(self.hub.client, self._place, self._watched_markets)
        return True

    def _watched_markets(self) -> list[str]:
        return [*self._markets, *self._books]

    async def closed(self) -> None:
        if self._upkeep is not None:
            self._upkeep.stop()
        if self._place is not None:
            await self._place.give_back()

    async def greet(self) -> None:
        assert self.mailbox is not None
        self.hub.subscribe(self.mailbox, FEED_TOPIC)
        if self.identity is not None:
            self.hub.subscribe(self.mailbox, user_topic(self.identity.user_id))
        await self._say_hello()

    async def _say_hello(self) -> None:
        try:
            feed = json.loads(await snapshots.feed_snapshot(self.hub.client))
        except (redis.RedisError, OSError):
            feed = None
        await self.send_frame(
            {
                "type": "hello",
                "protocol_version": PROTOCOL_VERSION,
                "server_time_ms": server_time_ms(),
                "user_id": self.identity.user_id if self.identity else None,
                "feed": feed,
            }
        )

    async def answer(self, message: dict[str, Any]) -> None:
        action = message.get("action")
        if action == "ping":
            await self.send_frame({"type": "pong", "ts": server_time_ms()})
        elif action == "subscribe":
            await self._subscribe(message)
        elif action == "unsubscribe":
            await self._unsubscribe(message)
        elif action == "resync":
            await self.resync()
        else:
            await self.send_error(
                "Unknown action; known are subscribe, unsubscribe, resync and ping."
            )

    def _read_lists(self, message: dict[str, Any]) -> tuple[list[str], list[str]] | None:
        markets = snapshots.read_condition_ids(message.get("markets", []), limit=MARKETS_MAX)
        books = snapshots.read_condition_ids(message.get("books", []), limit=BOOKS_MAX)
        if markets is None or books is None:
            return None
        if not all(snapshots.CONDITION_ID.match(item) for item in [*markets, *books]):
            return None
        return markets, books

    async def _subscribe(self, message: dict[str, Any]) -> None:
        lists = self._read_lists(message)
        account = message.get("account", self._account)
        is_account = account is None or (isinstance(account, int) and account is not True)
        if lists is None or not is_account:
            await self.send_error("markets and books are lists of condition ids, account a number.")
            return
        markets = [item for item in lists[0] if item not in self._markets]
        books = [item for item in lists[1] if item not in self._books]
        if len(self._markets) + len(markets) > MARKETS_MAX:
            await self.send_error(f"At most {MARKETS_MAX} markets per connection.")
            return
        if len(self._books) + len(books) > BOOKS_MAX:
            await self.send_error(f"At most {BOOKS_MAX} books per connection.")
            return
        self._account = account
        assert self.mailbox is not None
        for condition_id in markets:
            self._markets[condition_id] = None
            self.hub.subscribe(self.mailbox, price_topic(condition_id))
            self.hub.subscribe(self.mailbox, market_topic(condition_id))
        for condition_id in books:
            self._books[condition_id] = None
            self.hub.subscribe(self.mailbox, book_topic(condition_id))
        await self._confirm()
        await snapshots.note_interest(self.hub.client, [*markets, *books])
        await self._send_snapshots(markets, books)

    async def _unsubscribe(self, message: dict[str, Any]) -> None:
        lists = self._read_lists(message)
        if lists is None:
            await self.send_error("markets and books are lists of condition ids.")
            return
        assert self.mailbox is not None
        for condition_id in lists[0]:
            self._markets.pop(condition_id, None)
            self.hub.unsubscribe(self.mailbox, price_topic(condition_id))
            self.hub.unsubscribe(self.mailbox, market_topic(condition_id))
        for condition_id in lists[1]:
            self._books.pop(condition_id, None)
            self.hub.unsubscribe(self.mailbox, book_topic(condition_id))
        await self._confirm()

    async def _confirm(self) -> None:
        await self.send_frame(
            {
                "type": "subscribed",
                "markets": list(self._markets),
                "books": list(self._books),
                "account": self._account,
            }
        )

    async def _send_snapshots(self, markets: list[str], books: list[str]) -> None:
        client = self.hub.client
        for condition_id, text in (await snapshots.price_snapshots(client, markets)).items():
            await self.send_text(self.decorate(price_topic(condition_id), text))
        for condition_id in books:
            text = await snapshots.book_snapshot(client, condition_id)
            await self.send_text(self.decorate(book_topic(condition_id), text))

    async def resync(self) -> None:
        await self._say_hello()
        await self._confirm()
        await self._send_snapshots(list(self._markets), list(self._books))

    async def send_text(self, text: str) -> None:
        if text:
            await super().send_text(text)

    def decorate(self, topic: str, text: str) -> str:
        if topic == "event":
            return self._decorate_user_frame(text)
        self._sequence += 1
        return f'{{"seq":{self._sequence},{text[1:]}'

    def _decorate_user_frame(self, text: str) -> str:
        """A frame about money: the user's own counter becomes `user_seq`; "" if not asked for."""
        if self._account is not None:
            wallet_id = json.loads(text).get("wallet_id")
            if wallet_id is not None and wallet_id != self._account:
                return ""
        self._sequence += 1
        return f'{{"seq":{self._sequence},"user_seq":{text[len(_USER_START) :]}'


_USER_START = '{"seq":'
