"""Which taker fee a market charges: its own schedule, else its category's rate.

Pure. Contracts: contracts/README 12, trading-api 8, polymarket-feed 6. `feesEnabled`,
`makerBaseFee`, `takerBaseFee` and the earlier fee types change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from trading.markets.polymarket import values

OTHER: Final = "other"
#: Share of C x p x (1 - p) charged to takers.
CATEGORY_RATES: Final[dict[str, Decimal]] = {
    "crypto": Decimal("0.07"),
    "economics": Decimal("0.05"),
    "culture": Decimal("0.05"),
    "weather": Decimal("0.05"),
    OTHER: Decimal("0.05"),
    "finance": Decimal("0.04"),
    "politics": Decimal("0.04"),
    "mentions": Decimal("0.04"),
    "tech": Decimal("0.04"),
    "sports": Decimal("0.03"),
    "geopolitics": Decimal("0"),
}
MAX_EXPONENT: Final = 9

#: Tag slugs by category. The first category of this order that any tag names is taken: the narrow
#: ones come before those that the venue hangs on nearly everything.
CATEGORY_TAGS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("mentions", frozenset({"mentions", "mention-markets", "tweet-markets", "earnings-calls"})),
    ("weather", frozenset({"weather", "climate", "daily-temperature", "hurricanes"})),
    (
        "geopolitics",
        frozenset(
            {
                "geopolitics", "world", "world-affairs", "foreign-policy", "middle-east",
                "ukraine", "gaza", "israel", "iran", "ukraine-peace-deal", "world-events",
            }
        ),
    ),
    (
        "crypto",
        frozenset(
            {
                "crypto", "cryptocurrency", "crypto-prices", "bitcoin", "btc", "ethereum", "eth",
                "solana", "xrp", "dogecoin", "airdrops", "memecoins", "hyperliquid",
            }
        ),
    ),
    (
        "sports",
        frozenset(
            {
                "sports", "games", "soccer", "nba", "nfl", "mlb", "nhl", "tennis", "golf", "ufc",
                "mma", "boxing", "cricket", "esports", "formula1", "f1", "ncaab", "cfb", "epl",
                "fifa-world-cup", "champions-league", "basketball", "baseball", "hockey",
            }
        ),
    ),
    (
        "economics",
        frozenset(
            {
                "economics", "economy", "economic-policy", "fed", "fed-rates", "fomc", "inflation",
                "cpi", "gdp", "macro", "jobs-report", "unemployment", "interest-rates",
            }
        ),
    ),
    (
        "finance",
        frozenset(
            {
                "finance", "business", "stocks", "earnings", "ipo", "ipos", "commodities",
                "indices", "equities", "forex",
            }
        ),
    ),
    ("tech", frozenset({"tech", "technology", "ai", "big-tech", "science", "openai", "space"})),
    (
        "politics",
        frozenset(
            {
                "politics", "elections", "us-politics", "us-election", "trump", "congress",
                "global-elections", "primaries", "midterms", "courts", "trump-presidency",
            }
        ),
    ),
    (
        "culture",
        frozenset(
            {
                "culture", "pop-culture", "entertainment", "movies", "music", "awards", "oscars",
                "celebrities", "tv", "box-office", "video-games",
            }
        ),
    ),
)  # fmt: skip

_FEE_TYPE = re.compile(r"([a-z]+?)(?:_fees?)?(?:_\d+_min)?(?:_v\d+)?\Z")


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """The venue's own words for one market: share of C x (p x (1 - p)) ** exponent."""

    rate: Decimal
    exponent: int


def read_fee_schedule(value: object) -> FeeSchedule | None:
    """Gamma's `feeSchedule` or the `fd` of compact market info; None when absent or senseless."""
    if not isinstance(value, dict):
        return None
    rate = values.decimal(value.get("rate", value.get("r")))
    exponent = values.decimal(value.get("exponent", value.get("e", 1)))
    if rate is None or exponent is None or not 0 <= rate <= 1:
        return None
    if exponent != exponent.to_integral_value() or not 0 <= exponent <= MAX_EXPONENT:
        return None
    return FeeSchedule(rate=rate.quantize(Decimal("0.000001")), exponent=int(exponent))


def fee_terms(schedule: FeeSchedule | None, category: str) -> FeeSchedule:
    """What takers pay on a market: its schedule wins, else the rate of its category."""
    if schedule is not None:
        return schedule
    return FeeSchedule(rate=CATEGORY_RATES.get(category, CATEGORY_RATES[OTHER]), exponent=1)


def category_of_fee_type(fee_type: str) -> str | None:
    """The category inside `crypto_fees_v2`, `economics_fees` ...; None when it names none."""
    found = _FEE_TYPE.match(fee_type.strip().lower())
    if found is None:
        return None
    return found[1] if found[1] in CATEGORY_RATES else None


def category_of_tags(tags: Iterable[str]) -> str | None:
    """The category that an event's tag slugs name, by the order of `CATEGORY_TAGS`."""
    named = {tag.strip().lower() for tag in tags}
    if not named:
        return None
    for category, slugs in CATEGORY_TAGS:
        if named & slugs:
            return category
    return OTHER


def categorise(*, tags: Iterable[str], fee_type: str, is_sport: bool = False) -> str | None:
    """A market's category: its fee type, else its event's tags, else a sports feature.

    None means that nothing speaks (rows of `/markets` carry no tags): keep what is known.
    """
    named = category_of_fee_type(fee_type) if fee_type else None
    if named is not None:
        return named
    tagged = category_of_tags(tags)
    if is_sport and tagged in (None, OTHER):
        return "sports"
    return tagged
