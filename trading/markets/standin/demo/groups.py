"""Questions with several answers, and the recurring windows. All names are invented."""

from __future__ import annotations

from typing import Final

from trading.markets.standin.demo.templates import Group, Series

GROUPS: Final[tuple[Group, ...]] = (
    Group(
        "politics", "verania-assembly-winner", "Verania: largest party after the next election",
        "Will {name} be the largest party in Verania's assembly?",
        'Resolves to "Yes" if {name} wins more seats than any other party at the next general '
        "election of the Republic of Verania. With equal seats the share of votes decides. If no "
        'election is certified by {date}, all markets resolve to "No".',
        (
            ("Harbor Alliance", 30), ("National Reform", 27), ("Green Coast", 18),
            ("Civic Union", 12), ("Workers' List", 8), ("Liberal Forum", 5),
        ),
        3, 540_000,
    ),
    Group(
        "sports", "meridian-cup-winner", "Meridian Cup winner {year}",
        "Will {name} win the Meridian Cup?",
        'Resolves to "Yes" if {name} win the final of the Meridian Cup {year}. If there is no '
        'winner by {date}, all markets resolve to "No".',
        (
            ("Redwood Rovers", 27), ("Ilves", 21), ("Lakeside Athletic", 16), ("Port Ashby FC", 12),
            ("Calder City", 9), ("Dynamo Ostmark", 7), ("Green Coast United", 5),
            ("Tarn Valley", 3),
        ),
        3, 690_000, tick=1_000,
    ),
    Group(
        "economics", "verania-bank-decision", "Verania central bank: next rate decision",
        "Will the central bank of Verania decide on {name}?",
        "The market follows the main rate after the next regular meeting of the central bank of "
        'Verania. "{name}" resolves to "Yes" if that is the difference to the rate before. Steps '
        "between two answers count as the larger one.",
        (
            ("a cut of 50 bps or more", 4), ("a cut of 25 bps", 38), ("no change", 51),
            ("a rise of 25 bps or more", 7),
        ),
        3, 820_000, tick=1_000, source="https://demo-venue.example/registry",
    ),
    Group(
        "culture", "golden-lantern-best-film", "Golden Lantern: best film",
        "Will {name} win the Golden Lantern for best film?",
        'Resolves to "Yes" if {name} receives the Golden Lantern for best film at the ceremony of '
        "{year}. A shared prize resolves every winner to 50-50.",
        (
            ("Glass Harbor", 36), ("The Quiet Engine", 24), ("Nine Winters", 19),
            ("Salt and Paper", 13), ("A Map of Rain", 8),
        ),
        2, 175_000,
    ),
    Group(
        "tech", "best-language-model", "Which lab has the top model at the deadline?",
        "Will {name} have the top model on {date}?",
        'Resolves to "Yes" if a model of {name} leads the demo leaderboard of language models at '
        "noon UTC on {date}. With equal scores the older model leads.",
        (("Orrery Labs", 44), ("Northwind", 31), ("Tessera", 17), ("another lab of the list", 8)),
        2, 298_000,
    ),
    Group(
        "geopolitics", "ostmark-summit-host", "Who hosts the next Ostmark summit?",
        "Will {name} host the next Ostmark summit?",
        'Resolves to "Yes" if the next regular summit of the Ostmark Union opens in {name} by '
        '{date}. If it does not open, all markets resolve to "No".',
        (("Port Ashby", 40), ("Lorn", 28), ("Calder", 20), ("Tarn", 12)),
        1, 47_000,
    ),
)  # fmt: skip

_UP_DOWN: Final = (("102127", "Up or Down", "up-or-down"), ("101757", "Recurring", "recurring"))
_COIN_RULES: Final = (
    'This market resolves to "Up" if the simulated {coin} price at the end of the time range in '
    'the title is greater than or equal to the price at its beginning, otherwise to "Down".\n'
    "The resolution source is the demo venue's own simulated {symbol} stream. It is not a market "
    "price."
)


def _coin(code: int, coin: str, symbol: str, short: str, minutes: int, volume: int) -> Series:
    tag = {"btc": ("235", "Bitcoin", "bitcoin"), "eth": ("39", "Ethereum", "ethereum")}[short]
    return Series(
        code=code,
        kind="coin",
        category="crypto",
        slug=f"{short}-updown-{minutes}m",
        title=f"{coin} Up or Down - {{window}}",
        rules=_COIN_RULES.format(coin=coin, symbol=symbol),
        outcomes=("Up", "Down"),
        minutes=minutes,
        pace=3,
        volume=volume,
        ahead=1,
        source="https://demo-venue.example/streams/" + symbol.lower().replace("/", "-"),
        symbol=symbol,
        tags=(*_UP_DOWN, tag),
    )


SERIES: Final[tuple[Series, ...]] = (
    _coin(1, "Bitcoin", "BTC/USD", "btc", 5, 86_000),
    _coin(2, "Ethereum", "ETH/USD", "eth", 5, 41_000),
    _coin(3, "Bitcoin", "BTC/USD", "btc", 15, 64_000),
    _coin(4, "Ethereum", "ETH/USD", "eth", 15, 28_000),
    Series(
        code=5, kind="match", category="sports", slug="exhibition-match",
        title="Exhibition match: Redwood Rovers vs. Lakeside Athletic - {window}",
        rules=(
            "A simulated half-hour match. It resolves to the team with more goals at the end of "
            "the window; a match that is abandoned resolves 50-50."
        ),
        outcomes=("Redwood Rovers", "Lakeside Athletic"), minutes=30, pace=3, volume=39_000,
        void_share=0.2,
    ),
    Series(
        code=6, kind="match", category="weather", slug="harbor-city-temperature",
        title="Harbor City: warmer at the end of the window? - {window}",
        rules=(
            'Resolves to "Yes" if the simulated station Harbor City North is warmer at the end of '
            "the window than at its beginning. If the station fails, it resolves 50-50."
        ),
        outcomes=("Yes", "No"), minutes=30, pace=1, volume=6_000, void_share=0.1,
    ),
    Series(
        code=7, kind="match", category="mentions", slug="briefing-mentions-budget",
        title="Will the simulated briefing mention the budget? - {window}",
        rules=(
            'Resolves to "Yes" if the word "budget" falls during the simulated briefing in this '
            "window. A briefing that is called off resolves 50-50."
        ),
        outcomes=("Yes", "No"), minutes=20, pace=2, volume=8_000, void_share=0.15,
    ),
    Series(
        code=8, kind="match", category="finance", slug="demo-index-half-hour",
        title="Demo index higher at the end of the half hour? - {window}",
        rules=(
            'Resolves to "Yes" if the simulated demo index stands higher at the end of the window '
            'than at its beginning, otherwise to "No".'
        ),
        outcomes=("Yes", "No"), minutes=30, pace=2, volume=15_000,
    ),
)  # fmt: skip
