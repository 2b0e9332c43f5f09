"""Single questions of the synthetic catalogue. All names are invented."""

from __future__ import annotations

from typing import Final

from trading.markets.standin.demo.templates import Single

_OFFICIAL: Final = "https://demo-venue.example/registry"

SINGLES: Final[tuple[Single, ...]] = (
    # -- politics ------------------------------------------------------------------------------
    Single(
        "politics", "verania-snap-election", "Will Verania call a snap election by {date}?",
        'Resolves to "Yes" if the head of state of the Republic of Verania signs a decree that '
        "dissolves the assembly and sets an early general election by {date}, 11:59 PM UTC. An "
        "announcement without a decree does not count.",
        0.34, 3, 412_000, source=_OFFICIAL,
    ),
    Single(
        "politics", "capital-rail-bond-passes", "Will the Port Ashby rail bond pass?",
        'Resolves to "Yes" if the certified result of the Port Ashby referendum shows more votes '
        "for the rail bond than against it. If the vote is not held by {date}, it resolves to "
        '"No".',
        0.62, 2, 58_000, source=_OFFICIAL,
    ),
    Single(
        "politics", "minister-hale-resigns", "Will Minister Orla Hale leave office by {date}?",
        'Resolves to "Yes" if Orla Hale ceases to be Minister of Transport of Verania for any '
        "reason by {date}, 11:59 PM UTC. An announced departure counts on the day it takes effect.",
        0.048, 2, 96_000, tick=1_000,
    ),
    # -- crypto --------------------------------------------------------------------------------
    Single(
        "crypto", "lumen-chain-upgrade", "Will Lumenchain ship its Aurora upgrade by {date}?",
        'Resolves to "Yes" if a block with the Aurora rules is final on the main Lumenchain '
        "network by {date}, 11:59 PM UTC. Test networks do not count.",
        0.71, 2, 132_000,
    ),
    Single(
        "crypto", "brightcoin-new-high", "Will Brightcoin set a new all-time high by {date}?",
        'Resolves to "Yes" if any one-minute candle of the BRT/USD demo index closes above its '
        "highest close before this market opened, by {date}, 11:59 PM UTC.",
        0.46, 3, 505_000,
    ),
    Single(
        "crypto", "harbor-stablecoin-depeg", "Will the Harbor dollar trade below $0.97?",
        'Resolves to "Yes" if the Harbor dollar demo index stays below 0.97 for sixty minutes in a '
        "row at any time before {date}, 11:59 PM UTC.",
        0.031, 2, 74_000, tick=1_000,
    ),
    # -- economics -----------------------------------------------------------------------------
    Single(
        "economics", "verania-inflation-below-two", "Will Verania inflation fall below 2%?",
        'Resolves to "Yes" if the statistics office of Verania reports a yearly consumer price '
        "change below 2.0% for any month published by {date}. First publications count, revisions "
        "do not.",
        0.41, 2, 187_000, source=_OFFICIAL,
    ),
    Single(
        "economics", "ostmark-recession", "Will the Ostmark Union enter a recession by {date}?",
        'Resolves to "Yes" if two quarters in a row with falling real output are reported for the '
        "Ostmark Union by {date}. The first estimate of each quarter counts.",
        0.22, 1, 143_000, source=_OFFICIAL,
    ),
    Single(
        "economics", "unemployment-above-five", "Will Verania unemployment exceed 5.0%?",
        'Resolves to "Yes" if the seasonally adjusted rate of Verania is reported above 5.0% for '
        "any month published by {date}.",
        0.55, 1, 61_000, source=_OFFICIAL,
    ),
    # -- finance -------------------------------------------------------------------------------
    Single(
        "finance", "northwind-largest-company", "Will Northwind be the largest listed company?",
        'Resolves to "Yes" if Northwind Systems has the highest market value of all companies in '
        "the demo index at the close of the last trading day before {date}.",
        0.58, 3, 268_000,
    ),
    Single(
        "finance", "copper-above-twelve", "Will demo copper settle above $12,000?",
        'Resolves to "Yes" if any daily settlement of the demo copper future is above $12,000 per '
        "tonne by {date}.",
        0.37, 2, 88_000,
    ),
    Single(
        "finance", "calder-bank-ipo", "Will Calder Bank list its shares by {date}?",
        'Resolves to "Yes" if shares of Calder Bank trade on a public exchange by {date}, 11:59 PM '
        "UTC. A direct listing counts.",
        0.955, 2, 117_000,
    ),
    # -- tech ----------------------------------------------------------------------------------
    Single(
        "tech", "orrery-model-release", "Will Orrery Labs release Atlas 5 by {date}?",
        'Resolves to "Yes" if Orrery Labs makes a model named Atlas 5 available to the public by '
        "{date}, 11:59 PM UTC. A waiting list or a closed beta does not count.",
        0.66, 3, 344_000,
    ),
    Single(
        "tech", "skylark-orbital-flight", "Will Skylark reach orbit by {date}?",
        'Resolves to "Yes" if an upper stage of the Skylark rocket completes one orbit by {date}. '
        "A suborbital flight does not count.",
        0.29, 2, 152_000,
    ),
    Single(
        "tech", "quillpad-foldable", "Will Quillpad announce a foldable tablet?",
        'Resolves to "Yes" if Quillpad announces a tablet with a folding display by {date}. Leaks '
        "do not count.",
        0.18, 1, 33_000,
    ),
    # -- sports --------------------------------------------------------------------------------
    Single(
        "sports", "rovers-win-meridian-cup", "Will Redwood Rovers reach the Meridian final?",
        'Resolves to "Yes" if Redwood Rovers play in the final of the Meridian Cup. If the '
        'competition is not finished by {date}, this market resolves to "No".',
        0.49, 3, 231_000,
    ),
    Single(
        "sports", "marathon-sub-two-hours", "Will anyone run the Lakeside Marathon under 2:02?",
        'Resolves to "Yes" if the official winning time of the next Lakeside Marathon is below two '
        "hours and two minutes. If the race is not run by {date}, it resolves to \"No\".",
        0.27, 1, 26_000,
    ),
    Single(
        "sports", "ilves-unbeaten-season", "Will Ilves stay unbeaten this season?",
        'Resolves to "Yes" if Ilves lose no match of the Polar League season that ends before '
        "{date}. Draws are no losses.",
        0.082, 2, 49_000, tick=1_000,
    ),
    # -- culture -------------------------------------------------------------------------------
    Single(
        "culture", "glass-harbor-sequel", "Will a sequel to Glass Harbor be announced?",
        'Resolves to "Yes" if the studio behind the film Glass Harbor announces a sequel by '
        "{date}, 11:59 PM UTC, in a statement or at an event of its own.",
        0.53, 2, 71_000,
    ),
    Single(
        "culture", "mira-solen-album", "Will Mira Solen release an album by {date}?",
        'Resolves to "Yes" if an album with at least eight new songs by Mira Solen can be streamed '
        "by {date}. Live recordings and singles do not count.",
        0.78, 2, 104_000,
    ),
    Single(
        "culture", "chess-opera-tour", "Will The Chess Opera tour outside Verania?",
        'Resolves to "Yes" if a performance of The Chess Opera outside Verania takes place by '
        "{date}.",
        0.44, 1, 17_000,
    ),
    # -- weather -------------------------------------------------------------------------------
    Single(
        "weather", "harbor-city-record-heat", "Will Harbor City break its heat record?",
        'Resolves to "Yes" if the station Harbor City North reports more than 41.3 °C on any day '
        "by {date}. Values that the weather service withdraws do not count.",
        0.33, 2, 64_000, source="https://demo-venue.example/weather",
    ),
    Single(
        "weather", "named-storm-early", "Will the first named storm form before June?",
        'Resolves to "Yes" if the demo storm centre names a storm in the Great Bay basin before '
        "June 1, {year}.",
        0.64, 1, 29_000, source="https://demo-venue.example/weather",
    ),
    # -- mentions ------------------------------------------------------------------------------
    Single(
        "mentions", "governor-says-resilience", "Will Governor Tarn say “resilience” this term?",
        'Resolves to "Yes" if Governor Tarn says the word "resilience" in a recorded speech before '
        "{date}. Plural and compound forms count, written statements do not.",
        0.87, 2, 22_000,
    ),
    Single(
        "mentions", "northwind-call-quantum", "Will Northwind mention “quantum” on its next call?",
        'Resolves to "Yes" if any speaker says "quantum" during the next quarterly call of '
        "Northwind Systems, including questions. If there is no call by {date}, it resolves to "
        '"No".',
        0.59, 2, 38_000,
    ),
    # -- geopolitics ---------------------------------------------------------------------------
    Single(
        "geopolitics", "verania-ostmark-treaty", "Will Verania and Ostmark sign a border treaty?",
        'Resolves to "Yes" if representatives of Verania and the Ostmark Union sign a treaty on '
        "their common border by {date}, 11:59 PM UTC. A letter of intent does not count.",
        0.39, 3, 367_000,
    ),
    Single(
        "geopolitics", "strait-of-lorn-reopens", "Will the Strait of Lorn reopen by {date}?",
        'Resolves to "Yes" if merchant ships of at least three flags pass the Strait of Lorn '
        "within one week before {date}.",
        0.968, 2, 158_000,
    ),
    # -- other ---------------------------------------------------------------------------------
    Single(
        "other", "lighthouse-lottery-rollover", "Will the Lighthouse Lottery roll over 12 times?",
        'Resolves to "Yes" if twelve draws of the Lighthouse Lottery in a row end without a top '
        "prize by {date}.",
        0.24, 1, 12_000,
    ),
    Single(
        "other", "giant-pumpkin-record", "Will a pumpkin heavier than 1,300 kg be weighed?",
        'Resolves to "Yes" if a pumpkin of more than 1,300 kg is weighed at a sanctioned demo '
        "fair by {date}.",
        0.51, 1, 9_000,
    ),
)  # fmt: skip
