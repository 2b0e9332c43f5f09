"""The current state of markets for a socket that has just subscribed."""

import re
from collections.abc import Iterable, Sequence

import redis.asyncio

from trading.consumers.identity import in_database_thread
from trading.consumers.socket import server_time_ms
from trading.markets.books import frames, keys
from trading.markets.books.codec import confirmed_at_ms, decode_feed, decode_token

CONDITION_ID = re.compile(r"0x[0-9a-f]{64}\Z")
_FIELDS = ("0", "1", "frame", "confirmed_ms", "conn")


def read_condition_ids(value: object, *, limit: int) -> list[str] | None:
    """Condition ids of a client's list in lower case, without repeats; None if it is no list."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    return list(dict.fromkeys(item.lower() for item in value[: limit + 1]))


async def price_snapshots(
    client: "redis.asyncio.Redis", condition_ids: Sequence[str]
) -> dict[str, str]:
    """The newest price frame per market: the live one, else one of the catalogue's prices."""
    if not condition_ids:
        return {}
    pipe = client.pipeline(transaction=False)
    for condition_id in condition_ids:
        pipe.hget(keys.book_key(condition_id), "frame")
    texts = await pipe.execute()
    found = {
        condition_id: text for condition_id, text in zip(condition_ids, texts, strict=True) if text
    }
    missing = [condition_id for condition_id in condition_ids if condition_id not in found]
    if missing:
        found.update(await in_database_thread(lambda: _catalogue_frames(missing)))
    return found


async def book_snapshot(client: "redis.asyncio.Redis", condition_id: str) -> str:
    """The ladder of a market as it stands now; without levels when it was never live."""
    pipe = client.pipeline(transaction=True)
    pipe.hmget(keys.book_key(condition_id), _FIELDS)
    pipe.hgetall(keys.feed_key())
    values, feed = await pipe.execute()
    fields = dict(zip(_FIELDS, values, strict=True))
    return frames.book_frame(
        condition_id,
        (decode_token(fields["0"]), decode_token(fields["1"])),
        emit_ms=server_time_ms(),
        confirmed_ms=confirmed_at_ms(fields, feed),
        connection=fields["conn"] or "",
    )


async def feed_snapshot(client: "redis.asyncio.Redis") -> str:
    """The feed's state as it stands now."""
    feed = decode_feed(await client.hgetall(keys.feed_key()))
    return frames.feed_frame(feed, now_ms=server_time_ms())


async def note_interest(client: "redis.asyncio.Redis", condition_ids: Iterable[str]) -> None:
    """Keep the markets live for another while, and have new ones subscribed at once."""
    wanted = list(condition_ids)
    if not wanted:
        return
    pipe = client.pipeline(transaction=False)
    pipe.zadd(keys.page_interest_key(), dict.fromkeys(wanted, server_time_ms()))
    pipe.publish(keys.interest_channel(), ",".join(wanted))
    await pipe.execute()


def _catalogue_frames(condition_ids: list[str]) -> dict[str, str]:
    """Frames of markets that are not live, from the last catalogue sweep."""
    from trading.markets.cards import load_cards

    now_ms = server_time_ms()
    return {
        card.condition_id: frames.catalogue_price_frame(
            card, price=price, updated_ms=updated_ms, emit_ms=now_ms
        )
        for card, price, updated_ms in load_cards(condition_ids)
    }
