"""Reading live books and taking depth from them: one round trip each.

Every function raises ServiceUnavailable (503) when Valkey does not answer: without a book there
is nothing to fill against, so orders are refused. Contracts: trading-api 7, polymarket-feed 5.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import redis

from polysim.kernel.errors import ServiceUnavailable
from polysim.kernel.redis import get_redis
from trading.markets.books import keys, scripts
from trading.markets.books.codec import decode_feed, decode_market, decode_quote
from trading.markets.books.state import FeedState, LiveMarket, Mark, Quote

_QUOTE_FIELDS = ("q", "seq", "confirmed_ms", "conn")


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise ServiceUnavailable("Live prices are restarting. Nothing was changed.") from error


@lru_cache(maxsize=4)
def _script(text: str) -> Any:
    return get_redis().register_script(text)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def read_live_market(condition_id: str, *, note_interest: bool = True) -> LiveMarket:
    """Books, depletion and feed state of one market as one consistent snapshot.

    Reading also tells the feed that somebody looks at the market, so that its books become live
    within seconds and stay so for 5 minutes; the matcher passes `note_interest=False`.
    An unknown market comes back with both books None (status `absent`).
    """
    with _answering():
        pipe = get_redis().pipeline(transaction=True)
        pipe.hgetall(keys.book_key(condition_id))
        pipe.hgetall(keys.taken_key(condition_id))
        pipe.hgetall(keys.feed_key())
        if note_interest:
            pipe.zadd(keys.page_interest_key(), {condition_id: _now_ms()})
        book, taken, feed, *_ = pipe.execute()
    return decode_market(condition_id, book, taken, feed)


def read_live_markets(
    condition_ids: Iterable[str], *, note_interest: bool = False
) -> dict[str, LiveMarket]:
    """As `read_live_market` for many; unknown markets are in the answer with books None."""
    wanted = list(dict.fromkeys(condition_ids))
    if not wanted:
        return {}
    with _answering():
        pipe = get_redis().pipeline(transaction=True)
        pipe.hgetall(keys.feed_key())
        for condition_id in wanted:
            pipe.hgetall(keys.book_key(condition_id))
            pipe.hgetall(keys.taken_key(condition_id))
        if note_interest:
            now_ms = _now_ms()
            pipe.zadd(keys.page_interest_key(), dict.fromkeys(wanted, now_ms))
        answers = pipe.execute()
    feed = answers[0]
    return {
        condition_id: decode_market(
            condition_id, answers[1 + 2 * index], answers[2 + 2 * index], feed
        )
        for index, condition_id in enumerate(wanted)
    }


def take_depth(live: LiveMarket, quantities: Mapping[str, int]) -> bool:
    """Take scaled shares from levels (depletion key -> quantity), all or none.

    True: the levels were still those of `live.seq` and had room for it. False: the book moved on
    or another order was first; read the market again and match again. A level's room is its size
    in `live`'s merged book less what was taken since, so orders that both fit both succeed.
    Raises KeyError for a level that `live` does not have. Contract: trading-api 7.3.
    """
    if not quantities:
        return True
    sizes = live.level_sizes()
    arguments: list[str | int] = [live.seq, keys.BOOK_TTL_S]
    for name, quantity in quantities.items():
        arguments += [name, quantity, sizes[name]]
    with _answering():
        answer = _script(scripts.TAKE_DEPTH)(
            keys=[keys.book_key(live.condition_id), keys.taken_key(live.condition_id)],
            args=arguments,
        )
    return bool(answer)


def give_back_depth(condition_id: str, quantities: Mapping[str, int]) -> None:
    """Return what `take_depth` took, when the order was not committed after all."""
    if not quantities:
        return
    arguments: list[str | int] = []
    for name, quantity in quantities.items():
        arguments += [name, quantity]
    with _answering():
        _script(scripts.GIVE_BACK_DEPTH)(keys=[keys.taken_key(condition_id)], args=arguments)


def claim_print(identity: str) -> bool:
    """Whether a printed trade has not been used to fill orders yet; it is from now on."""
    with _answering():
        name = keys.print_key(identity)
        return bool(get_redis().set(name, "1", nx=True, ex=keys.PRINT_TTL_S))


def read_feed_state() -> FeedState:
    """The feed as a whole."""
    with _answering():
        return decode_feed(get_redis().hgetall(keys.feed_key()))


def read_quotes(condition_ids: Iterable[str], *, note_interest: bool = False) -> dict[str, Quote]:
    """Short quotes for lists; markets that were never live are left out."""
    wanted = list(dict.fromkeys(condition_ids))
    if not wanted:
        return {}
    with _answering():
        pipe = get_redis().pipeline(transaction=False)
        pipe.hgetall(keys.feed_key())
        for condition_id in wanted:
            pipe.hmget(keys.book_key(condition_id), _QUOTE_FIELDS)
        if note_interest:
            pipe.zadd(keys.page_interest_key(), dict.fromkeys(wanted, _now_ms()))
        answers = pipe.execute()
    feed = answers[0]
    quotes: dict[str, Quote] = {}
    for condition_id, values in zip(wanted, answers[1:], strict=False):
        quote = decode_quote(condition_id, dict(zip(_QUOTE_FIELDS, values, strict=True)), feed)
        if quote is not None:
            quotes[condition_id] = quote
    return quotes


def read_marks(positions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Mark]:
    """Marks by (condition id, outcome index); what has no displayed price is left out."""
    wanted = list(dict.fromkeys(positions))
    quotes = read_quotes(condition_id for condition_id, _ in wanted)
    marks: dict[tuple[str, int], Mark] = {}
    for condition_id, outcome_index in wanted:
        quote = quotes.get(condition_id)
        price = quote.prices[outcome_index] if quote else None
        if quote is not None and price is not None:
            marks[condition_id, outcome_index] = Mark(price, quote.confirmed_at_ms)
    return marks


def note_page_interest(condition_ids: Sequence[str]) -> None:
    """Tell the feed that somebody looks at these markets; it subscribes new ones at once."""
    if not condition_ids:
        return
    with _answering():
        pipe = get_redis().pipeline(transaction=False)
        pipe.zadd(keys.page_interest_key(), dict.fromkeys(condition_ids, _now_ms()))
        pipe.publish(keys.interest_channel(), ",".join(condition_ids))
        pipe.execute()


def add_held_interest(kind: str, condition_ids: Iterable[str]) -> None:
    """Keep these markets live for `kind`: `orders`, `positions` or `watchlists`."""
    wanted = list(condition_ids)
    if not wanted:
        return
    with _answering():
        pipe = get_redis().pipeline(transaction=False)
        pipe.sadd(keys.held_interest_key(kind), *wanted)
        pipe.publish(keys.interest_channel(), ",".join(wanted))
        pipe.execute()


def replace_held_interest(kind: str, condition_ids: Iterable[str]) -> None:
    """Make exactly these markets the ones held live for `kind` (a periodic sweep calls it)."""
    wanted = list(condition_ids)
    name = keys.held_interest_key(kind)
    with _answering():
        pipe = get_redis().pipeline(transaction=True)
        pipe.delete(name)
        if wanted:
            pipe.sadd(name, *wanted)
        pipe.execute()
