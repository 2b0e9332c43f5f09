"""The synthetic catalogue: templates become events and markets with ids, dates and prices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from trading.markets.standin.demo import identity
from trading.markets.standin.demo.groups import GROUPS, SERIES
from trading.markets.standin.demo.identity import Place
from trading.markets.standin.demo.prices import (
    AnswerPrice,
    Course,
    GroupPrices,
    SinglePrice,
    WindowPrice,
    coin_course,
    match_course,
    share_of,
    spot_price,
)
from trading.markets.standin.demo.rows import AnswerDescription, Description
from trading.markets.standin.demo.shape import Shape
from trading.markets.standin.demo.singles import SINGLES
from trading.markets.standin.demo.templates import CATEGORIES, Group, Series, Single
from trading.markets.standin.figures import SCALE
from trading.markets.standin.market import Event, Market

YES_NO: Final = ("Yes", "No")
#: Place numbers of the markets that stand all year; windows have the series' own small codes.
FIRST_STANDING: Final = 0x1000
MINUTE_MS: Final = 60_000
#: The result of a window is known this long after its end.
RESULT_AFTER_MS: Final = 8_000
MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


@dataclass(slots=True, eq=False)
class Actor:
    """A market with what moves it: its shape of book, its fair price, its pace."""

    market: Market
    shape: Shape
    price: SinglePrice | AnswerPrice | WindowPrice
    interval_ms: int
    trade_share: float
    native_tick: int


def moment_ms(year: int, month: int, day: int) -> int:
    """Unix milliseconds of a UTC midnight."""
    return int(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)


def catalogue_year(now_ms: int) -> int:
    """The year whose end is the deadline of the standing markets: never less than 90 days off."""
    return (datetime.fromtimestamp(now_ms / 1000, UTC) + timedelta(days=90)).year


class World:
    """Makes events for a seed. Everything follows from the seed and the moments asked about."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.courses: dict[str, Course] = {}
        for series in SERIES:
            if series.kind == "coin":
                name = series.symbol
                self.courses.setdefault(name, coin_course(seed, name))
            else:
                self.courses[series.slug] = match_course(seed, series.slug)

    # -- standing markets ----------------------------------------------------------------------
    def standing(self, year: int) -> list[tuple[Event, list[Actor]]]:
        """The events that stand until the end of the year."""
        made = []
        number = FIRST_STANDING
        for single in SINGLES:
            made.append(self._single(single, Place(number, year)))
            number += 1
        for group in GROUPS:
            made.append(self._group(group, number, year))
            number += len(group.outcomes)
        return made

    def _dates(self, slug: str, year: int) -> tuple[int, int]:
        """First day (some weeks before the year's catalogue begins) and deadline."""
        first = (
            moment_ms(year - 1, 8, 3) + int(share_of(self.seed, "first", slug) * 24) * 86_400_000
        )
        return first, moment_ms(year + 1, 1, 1) - 1_000

    def _text(self, text: str, year: int) -> str:
        return text.replace("{date}", f"December 31, {year}").replace("{year}", str(year))

    def _single(self, single: Single, place: Place) -> tuple[Event, list[Actor]]:
        year = place.slot
        category = CATEGORIES[single.category]
        description = Description(
            self.seed, single.category, self._text(single.rules, year), single.source
        )
        starts_ms, ends_ms = self._dates(single.slug, year)
        question = self._text(single.question, year)
        price = SinglePrice(
            identity.seed_of(self.seed, single.slug, year), single.chance, single.pace
        )
        market = Market(
            condition_id=identity.condition_id(self.seed, place),
            gamma_id=identity.gamma_id(place),
            slug=f"{single.slug}-{year}",
            question=question,
            token_ids=self._tokens(place),
            outcomes=YES_NO,
            tick=single.tick,
            describe=description.market,
            fees=category.fees,
            starts_ms=starts_ms,
            ends_ms=ends_ms,
            price_at=price,
        )
        event = self._event(
            place, f"{single.slug}-{year}", question, description, (category.tag,), [market]
        )
        actor = self._actor(market, price, single.pace, single.volume, single.slug)
        return event, [actor]

    def _group(self, group: Group, first: int, year: int) -> tuple[Event, list[Actor]]:
        category = CATEGORIES[group.category]
        description = Description(
            self.seed, group.category, self._text(group.rules, year), group.source
        )
        starts_ms, ends_ms = self._dates(group.slug, year)
        weights = tuple(weight for _name, weight in group.outcomes)
        prices = GroupPrices(identity.seed_of(self.seed, group.slug, year), weights, group.pace)
        actors, markets = [], []
        for rank, (name, weight) in enumerate(group.outcomes):
            place = Place(first + rank, year)
            price = AnswerPrice(prices, rank)
            market = Market(
                condition_id=identity.condition_id(self.seed, place),
                gamma_id=identity.gamma_id(place),
                slug=f"{group.slug}-{_slug_of(name)}-{year}",
                question=self._text(group.question, year).replace("{name}", name),
                token_ids=self._tokens(place),
                outcomes=YES_NO,
                tick=group.tick,
                describe=AnswerDescription(description, name),
                is_neg_risk=True,
                fees=category.fees,
                starts_ms=starts_ms,
                ends_ms=ends_ms,
                price_at=price,
            )
            markets.append(market)
            volume = group.volume * weight / sum(weights)
            # An event has one crowd: its markets share the pace that a single one would have.
            actor = self._actor(market, price, group.pace, volume, market.slug)
            actor.interval_ms *= 2
            actors.append(actor)
        title = self._text(group.title, year)
        event = self._event(
            Place(first, year), f"{group.slug}-{year}", title, description, (category.tag,), markets
        )
        return event, actors

    # -- windows -------------------------------------------------------------------------------
    def window(self, series: Series, starts_ms: int) -> tuple[Event, Actor]:
        """The window of a series that begins at `starts_ms`."""
        place = Place(series.code, starts_ms // MINUTE_MS)
        ends_ms = starts_ms + series.minutes * MINUTE_MS
        category = CATEGORIES[series.category]
        is_coin = series.kind == "coin"
        name = series.symbol if is_coin else series.slug
        course = self.courses[name]
        head_start = 0.0 if is_coin else 0.8 * share_of(self.seed, name, starts_ms) - 0.4
        price = WindowPrice(course, starts_ms, ends_ms, head_start)
        metadata = None
        if is_coin:
            metadata = {"priceToBeat": spot_price(course, name, starts_ms)}
        description = Description(
            self.seed, series.category, series.rules, series.source,
            metadata=metadata, is_automatic=is_coin,
        )  # fmt: skip
        title = series.title.replace("{window}", _window_text(starts_ms, ends_ms))
        slug = f"{series.slug}-{starts_ms // 1000}"
        market = Market(
            condition_id=identity.condition_id(self.seed, place),
            gamma_id=identity.gamma_id(place),
            slug=slug,
            question=title,
            token_ids=self._tokens(place),
            outcomes=series.outcomes,
            tick=series.tick,
            describe=description.market,
            fees=category.fees,
            starts_ms=starts_ms,
            ends_ms=ends_ms,
            price_at=price,
        )
        tags = (*series.tags, category.tag)
        event = self._event(place, slug, title, description, tags, [market])
        event.series_slug = series.slug
        return event, self._actor(market, price, series.pace, series.volume, slug)

    def payouts(self, series: Series, price: WindowPrice) -> tuple[str, str]:
        """The result of a window."""
        void = share_of(self.seed, "void", series.slug, price.starts_ms)
        if void < series.void_share:
            return ("0.5", "0.5")
        return ("1", "0") if price.is_won() else ("0", "1")

    def current_windows(self, series: Series, now_ms: int) -> list[int]:
        """Starts of the windows that trade at a moment."""
        length = series.minutes * MINUTE_MS
        first = now_ms // length * length
        return [first + rank * length for rank in range(series.ahead + 1)]

    # -- any market ever -----------------------------------------------------------------------
    def recall(self, identifier: str, now_ms: int) -> Market | None:
        """The market of a condition or token id of this seed as it is at a moment.

        Windows that ended and the catalogue of an earlier year come back closed, with the result
        that they had. None for unknown ids and for what lies in the future.
        """
        place = identity.place_of(self.seed, identifier)
        if place is None:
            return None
        series = next((each for each in SERIES if each.code == place.series), None)
        if series is not None:
            return self._recall_window(series, place.slot * MINUTE_MS, now_ms)
        if not 2020 <= place.slot < catalogue_year(now_ms):
            return None
        return self._recall_standing(place)

    def _recall_window(self, series: Series, starts_ms: int, now_ms: int) -> Market | None:
        ends_ms = starts_ms + series.minutes * MINUTE_MS
        if starts_ms % (series.minutes * MINUTE_MS) or ends_ms + RESULT_AFTER_MS > now_ms:
            return None
        event, actor = self.window(series, starts_ms)
        market = event.markets[0]
        assert isinstance(actor.price, WindowPrice)
        _close(market, self.payouts(series, actor.price), ends_ms + RESULT_AFTER_MS)
        return market

    def _recall_standing(self, place: Place) -> Market | None:
        # The next year's catalogue took over on this day.
        closed_ms = moment_ms(place.slot, 10, 2)
        for event, actors in self.standing(place.slot):
            chances = [actor.price(closed_ms) for actor in actors]
            for rank, market in enumerate(event.markets):
                is_won = chances[rank] >= 0.5 if len(chances) == 1 else rank == _largest(chances)
                _close(market, ("1", "0") if is_won else ("0", "1"), closed_ms)
                if market.gamma_id == identity.gamma_id(place):
                    return market
        return None

    # -- parts ---------------------------------------------------------------------------------
    def _tokens(self, place: Place) -> tuple[str, str]:
        return (
            identity.token_id(self.seed, place, 0),
            identity.token_id(self.seed, place, 1),
        )

    def _event(
        self,
        place: Place,
        slug: str,
        title: str,
        description: Description,
        tags: tuple[tuple[str, str, str], ...],
        markets: list[Market],
    ) -> Event:
        event = Event(
            gamma_id=identity.gamma_id(place),
            slug=slug,
            title=title,
            describe=description.event,
            tags=tags,
            markets=markets,
            starts_ms=markets[0].starts_ms,
            ends_ms=markets[0].ends_ms,
            is_featured=share_of(self.seed, "featured", slug) > 0.8,
        )
        for market in markets:
            market.event = event
        return event

    def _actor(
        self,
        market: Market,
        price: SinglePrice | AnswerPrice | WindowPrice,
        pace: int,
        volume: float,
        slug: str,
    ) -> Actor:
        luck = share_of(self.seed, "luck", slug)
        market.volume_24h = round(volume * (0.7 + 0.6 * luck), 2)
        market.volume_total = round(market.volume_24h * (22 + 40 * luck), 2)
        ticks = {1: 3, 2: 2, 3: 1}[pace] if luck > 0.25 else {1: 2, 2: 1, 3: 1}[pace]
        if market.tick < SCALE // 100:
            ticks = min(3, ticks + 1)
        shape = Shape(
            depth=max(25.0, min(1_800.0, volume / 260)),
            spread=ticks,
            levels={1: 9, 2: 15, 3: 22}[pace] + int(luck * 8),
        )
        return Actor(
            market=market,
            shape=shape,
            price=price,
            interval_ms={1: 5_000, 2: 2_000, 3: 500}[pace],
            trade_share={1: 0.05, 2: 0.06, 3: 0.07}[pace],
            native_tick=market.tick,
        )


def _close(market: Market, payouts: tuple[str, str], closed_ms: int) -> None:
    market.payouts = payouts
    market.uma_status = "resolved"
    market.is_accepting = False
    market.closed_ms = closed_ms


def _largest(chances: list[float]) -> int:
    return max(range(len(chances)), key=chances.__getitem__)


def _slug_of(name: str) -> str:
    kept = "".join(each if each.isalnum() else "-" for each in name.lower().replace("'", ""))
    return "-".join(part for part in kept.split("-") if part)


def _window_text(starts_ms: int, ends_ms: int) -> str:
    """`November 21, 11:05AM-11:10AM UTC`."""
    starts, ends = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (starts_ms, ends_ms))
    day = f"{MONTHS[starts.month - 1]} {starts.day}"
    return f"{day}, {_clock_text(starts)}-{_clock_text(ends)} UTC"


def _clock_text(moment: datetime) -> str:
    return f"{moment.hour % 12 or 12}:{moment.minute:02d}{'AM' if moment.hour < 12 else 'PM'}"
