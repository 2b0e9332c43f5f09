"""Forms of the synthetic catalogue's entries, and what a category brings along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trading.markets.standin.market import Fees

#: Stands at the end of every synthetic description.
NOTICE: Final = (
    "This is a synthetic market of a demo venue. The people, places, teams, companies and "
    "figures in it are invented, and so are its prices and its result."
)


@dataclass(frozen=True, slots=True)
class Category:
    """A fee category as the venue spells it: fee type, schedule, tag."""

    fee_type: str | None
    fees: Fees | None
    tag: tuple[str, str, str]


#: polymarket-feed 6. The venue has no fee type for what takers trade freely.
CATEGORIES: Final[dict[str, Category]] = {
    "crypto": Category("crypto_fees_v2", Fees(0.07, rebate=0.2), ("21", "Crypto", "crypto")),
    "economics": Category("economics_fees", Fees(0.05), ("100328", "Economy", "economy")),
    "culture": Category("culture_fees", Fees(0.05), ("596", "Culture", "pop-culture")),
    "weather": Category("weather_fees", Fees(0.05), ("84", "Weather", "weather")),
    "other": Category("general_fees", Fees(0.05), ("900001", "General", "general")),
    "finance": Category("finance_fees", Fees(0.04), ("120", "Finance", "finance")),
    "politics": Category("politics_fees", Fees(0.04), ("2", "Politics", "politics")),
    "mentions": Category("mentions_fees", Fees(0.04), ("100343", "Mentions", "mentions")),
    "tech": Category("tech_fees", Fees(0.04), ("1401", "Tech", "tech")),
    "sports": Category("sports_fees_v2", Fees(0.03), ("1", "Sports", "sports")),
    "geopolitics": Category(None, None, ("100265", "Geopolitics", "geopolitics")),
}


@dataclass(frozen=True, slots=True)
class Single:
    """An event of one market. `{date}` and `{year}` stand for the catalogue's deadline.

    `chance` is the middle of its price, `pace` how busy it is (1 quiet to 3 busy), `volume` the
    usual cash per day.
    """

    category: str
    slug: str
    question: str
    rules: str
    chance: float
    pace: int
    volume: int
    tick: int = 10_000
    source: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A negative-risk event: its outcomes exclude each other, their prices add up to about 1.

    `question` has a `{name}`; `outcomes` are names with their weights.
    """

    category: str
    slug: str
    title: str
    question: str
    rules: str
    outcomes: tuple[tuple[str, float], ...]
    pace: int
    volume: int
    tick: int = 10_000
    source: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """A market that comes again with every window of `minutes` and ends with it.

    `kind` is `coin` (Up/Down on a simulated spot price), or `match` (a hidden course decides;
    `void_share` of the windows end 50-50).
    """

    code: int
    kind: str
    category: str
    slug: str
    title: str
    rules: str
    outcomes: tuple[str, str]
    minutes: int
    pace: int
    volume: int
    tick: int = 10_000
    ahead: int = 0
    void_share: float = 0.0
    source: str = ""
    symbol: str = ""
    tags: tuple[tuple[str, str, str], ...] = ()
