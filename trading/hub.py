"""One Valkey subscription per web process, fanned out in memory to its sockets (stack 5).

A mailbox belongs to one socket. Of a price or book it keeps only the newest, so that a slow reader
gets fewer frames, never older ones; trades fall out at the front when there are too many; frames
about money (fills, orders) are never dropped: a mailbox that cannot hold them says so and its
socket is closed. After the subscription was lost, every mailbox is asked to read everything again.
"""

import asyncio
import json
import logging
import random
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import redis
import redis.asyncio

from polysim.kernel.redis import get_redis, key, open_async_redis
from trading.markets.books import frames, keys

logger = logging.getLogger(__name__)

EVENTS_MAX = 64
TRADES_MAX = 32
RECONNECT_S_MAX = 2.0
SEQ_TTL_S = 90 * 24 * 3600
# The count of a user's sockets on pages (consumers.limits), which lapses with them.
PAGE_SOCKETS = "pages"

# ARGV: beginning of the keys, ids of users.
_FIND_CONNECTED = """
local found = {}
for index = 2, #ARGV do
  if redis.call('EXISTS', ARGV[1] .. ARGV[index]) == 1 then found[#found + 1] = ARGV[index] end
end
return found
"""

# Survives reconnects; a counter lost with Valkey starts again above all former values, because
# nobody has more than one frame a second over months.
_PUBLISH_TO_USER = """
redis.call('SET', KEYS[1], ARGV[2], 'NX')
local seq = redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('PUBLISH', ARGV[1], '{"seq":' .. string.format('%.0f', seq) .. ',' .. ARGV[4])
return seq
"""


def price_topic(condition_id: str) -> str:
    """Price frames of one market; the newest replaces older ones."""
    return f"price:{condition_id}"


def book_topic(condition_id: str) -> str:
    """Ladder frames and trade prints of one market."""
    return f"book:{condition_id}"


def user_topic(user_id: int) -> str:
    """Fills, orders, settlements and wallet changes of one user; never dropped."""
    return f"user:{user_id}"


def market_topic(condition_id: str) -> str:
    """What happens to a market besides its prices: changed, closed, resolved."""
    return f"market:{condition_id}"


FEED_TOPIC = "feed"


class Mailbox:
    """What one socket still has to send, bounded whatever its reader does."""

    __slots__ = ("_events", "_latest", "_trades", "_wake", "is_overrun", "topics", "wants_resync")

    def __init__(self) -> None:
        self._latest: dict[str, str] = {}
        self._trades: deque[str] = deque(maxlen=TRADES_MAX)
        self._events: deque[str] = deque()
        self._wake = asyncio.Event()
        self.is_overrun = False
        self.wants_resync = False
        self.topics: set[str] = set()

    def put_latest(self, topic: str, text: str) -> None:
        """The topic's newest frame; takes the place of one that was not sent yet."""
        self._latest[topic] = text
        self._wake.set()

    def put_trade(self, text: str) -> None:
        """A trade print; the oldest falls out beyond 32 unsent ones."""
        self._trades.append(text)
        self._wake.set()

    def put_event(self, text: str) -> None:
        """A frame that must not be lost; beyond 64 unsent ones the socket is to be closed."""
        if len(self._events) >= EVENTS_MAX:
            self.is_overrun = True
        else:
            self._events.append(text)
        self._wake.set()

    def ask_for_resync(self) -> None:
        """Frames may have been missed: the socket reads its snapshots again."""
        self.wants_resync = True
        self._wake.set()

    async def take(self) -> list[tuple[str, str]]:
        """Wait for something and empty the mailbox: (topic, frame), events first."""
        await self._wake.wait()
        self._wake.clear()
        batch = [("event", text) for text in self._events]
        batch += [("trade", text) for text in self._trades]
        batch += self._latest.items()
        self._events.clear()
        self._trades.clear()
        self._latest = {}
        return batch


class Hub:
    """Routes the process's one subscription to mailboxes. Lives in one event loop."""

    def __init__(self) -> None:
        self._topics: dict[str, set[Mailbox]] = {}
        self._mailboxes: set[Mailbox] = set()
        self._task: asyncio.Task[None] | None = None
        self._client: redis.asyncio.Redis | None = None
        self._tick_prefix = key("tick", "")
        self._user_prefix = key("user", "")
        self._feed_channel = keys.feed_channel()
        self._catalogue_channel = keys.catalogue_channel()
        self.is_connected = asyncio.Event()

    @property
    def client(self) -> redis.asyncio.Redis:
        """The loop's client for snapshots; short timeouts."""
        if self._client is None:
            self._client = open_async_redis(socket_timeout=2, socket_connect_timeout=2)
        return self._client

    @property
    def socket_count(self) -> int:
        """Mailboxes in use."""
        return len(self._mailboxes)

    def open_mailbox(self) -> Mailbox:
        """A mailbox for a new socket; the first one starts the subscription."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        mailbox = Mailbox()
        self._mailboxes.add(mailbox)
        return mailbox

    def close_mailbox(self, mailbox: Mailbox) -> None:
        """Forget a socket."""
        for topic in list(mailbox.topics):
            self.unsubscribe(mailbox, topic)
        self._mailboxes.discard(mailbox)

    def subscribe(self, mailbox: Mailbox, topic: str) -> None:
        """Deliver the topic's frames to the mailbox."""
        self._topics.setdefault(topic, set()).add(mailbox)
        mailbox.topics.add(topic)

    def unsubscribe(self, mailbox: Mailbox, topic: str) -> None:
        """Stop delivering the topic's frames."""
        members = self._topics.get(topic)
        if members is not None:
            members.discard(mailbox)
            if not members:
                del self._topics[topic]
        mailbox.topics.discard(topic)

    async def stop(self) -> None:
        """End the subscription (tests and shutdown)."""
        task, self._task = self._task, None
        while task is not None and not task.done():
            # The client library may swallow a cancellation that meets an arriving answer.
            task.cancel()
            await asyncio.wait({task}, timeout=0.2)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def dispatch(self, channel: str, text: str) -> None:
        """Hand one published frame to the mailboxes that want it."""
        if channel.startswith(self._tick_prefix):
            self._dispatch_tick(channel[len(self._tick_prefix) :], text)
        elif channel.startswith(self._user_prefix):
            for mailbox in self._topics.get(f"user:{channel[len(self._user_prefix) :]}", ()):
                mailbox.put_event(text)
        elif channel == self._feed_channel:
            for mailbox in self._topics.get(FEED_TOPIC, ()):
                mailbox.put_latest(FEED_TOPIC, text)
        elif channel == self._catalogue_channel:
            self._dispatch_news(text)

    def _dispatch_tick(self, condition_id: str, text: str) -> None:
        if text.startswith(frames.PRICE_PREFIX):
            topic = price_topic(condition_id)
            for mailbox in self._topics.get(topic, ()):
                mailbox.put_latest(topic, text)
            return
        topic = book_topic(condition_id)
        members = self._topics.get(topic, ())
        if text.startswith(frames.BOOK_PREFIX):
            for mailbox in members:
                mailbox.put_latest(topic, text)
        else:
            for mailbox in members:
                mailbox.put_trade(text)

    def _dispatch_news(self, text: str) -> None:
        """News name many markets; a socket hears of those that it shows."""
        news = json.loads(text)
        for condition_id in news["condition_ids"]:
            topic = market_topic(condition_id)
            if topic not in self._topics:
                continue
            frame = {"type": "market", "market_id": condition_id, "change": news["type"]}
            line = json.dumps(frame, separators=(",", ":"))
            for mailbox in self._topics[topic]:
                mailbox.put_latest(topic, line)

    async def _run(self) -> None:
        """Subscribe, deliver, and begin again when the connection is lost, for ever."""
        attempt = 0
        while True:
            client = open_async_redis(socket_connect_timeout=2)
            try:
                async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.psubscribe(f"{self._tick_prefix}*", f"{self._user_prefix}*")
                    await pubsub.subscribe(self._feed_channel, self._catalogue_channel)
                    self._note_connected(was_lost=attempt > 0)
                    attempt = 0
                    async for message in pubsub.listen():
                        self.dispatch(message["channel"], message["data"])
            except (redis.RedisError, OSError) as error:
                if attempt == 0:
                    logger.warning("live subscription lost: %s", error)
                self._note_lost()
            except Exception:
                # A frame that we cannot read is a defect, but no reason to leave sockets silent.
                logger.exception("live subscription failed")
                self._note_lost()
            finally:
                await client.aclose()
            attempt += 1
            await asyncio.sleep(
                random.uniform(0.05, min(RECONNECT_S_MAX, 0.1 * 2 ** min(attempt, 6)))
            )

    def _note_connected(self, *, was_lost: bool) -> None:
        self.is_connected.set()
        if was_lost:
            logger.info("live subscription is back for %d sockets", self.socket_count)
            for mailbox in self._mailboxes:
                mailbox.ask_for_resync()

    def _note_lost(self) -> None:
        if not self.is_connected.is_set():
            return
        self.is_connected.clear()
        lost = '{"type":"feed","running":false,"mode":"unknown","connections":{}}'
        for mailbox in self._topics.get(FEED_TOPIC, ()):
            mailbox.put_latest(FEED_TOPIC, lost)


_hubs: dict[int, Hub] = {}


def get_hub() -> Hub:
    """The hub of the running event loop (a server process has one)."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(id(loop))
    if hub is None:
        hub = _hubs[id(loop)] = Hub()
    return hub


def publish_to_user(user_id: int, frame: Mapping[str, Any], *, now_s: int) -> int:
    """Publish a frame (`type` fill, order, settlement, wallet ...) to a user's sockets.

    Call it after commit. Answers the frame's `seq`: a per-user counter that survives reconnects
    and, starting from `now_s`, also the loss of Valkey (trading-api 10.2). Raises RedisError.
    """
    return publish_to_users([(user_id, frame)], now_s=now_s)[0]


def publish_to_users(
    frames_of: Sequence[tuple[int, Mapping[str, Any]]], *, now_s: int
) -> list[int]:
    """Publish frames to the users named beside them, in their order and one round trip."""
    client = get_redis()
    script = client.register_script(_PUBLISH_TO_USER)
    pipeline = client.pipeline(transaction=False)
    for user_id, frame in frames_of:
        text = json.dumps(frame, separators=(",", ":"), ensure_ascii=False, default=str)
        script(
            keys=[key("user_seq", user_id)],
            args=[keys.user_channel(user_id), now_s, SEQ_TTL_S, text[1:]],
            client=pipeline,
        )
    return [int(seq) for seq in pipeline.execute()]


def find_connected(user_ids: Sequence[int]) -> set[int]:
    """Which of these users have a page open that listens; raises redis.RedisError."""
    first = key("sockets", PAGE_SOCKETS, "")
    found = get_redis().register_script(_FIND_CONNECTED)(keys=[], args=[first, *user_ids])
    return {int(user_id) for user_id in found}
