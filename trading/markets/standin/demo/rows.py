"""The descriptive part of synthetic Gamma rows: everything that does not move."""

from __future__ import annotations

from typing import Any

from trading.markets.standin.demo.identity import digest
from trading.markets.standin.demo.templates import CATEGORIES, NOTICE
from trading.markets.standin.market import Event, Market
from trading.markets.standin.venue import iso


class Description:
    """Texts and dates of one synthetic event and its markets; callable for either row."""

    __slots__ = ("_category", "_is_automatic", "_metadata", "_rules", "_seed", "_source")

    def __init__(
        self,
        seed: int,
        category: str,
        rules: str,
        source: str,
        *,
        metadata: dict[str, Any] | None = None,
        is_automatic: bool = False,
    ) -> None:
        self._seed = seed
        self._category = category
        self._rules = rules
        self._source = source
        self._metadata = metadata
        self._is_automatic = is_automatic

    def _shared(self, starts_ms: int, ends_ms: int | None) -> dict[str, Any]:
        return {
            "description": f"{self._rules}\n\n{NOTICE}",
            "resolutionSource": self._source,
            "startDate": iso(starts_ms),
            "endDate": iso(ends_ms),
            "createdAt": iso(starts_ms - 3_600_000),
            "image": None,
            "icon": None,
            "restricted": False,
            "new": False,
            "cyom": False,
            "synthetic": True,
        }

    def event(self, event: Event) -> dict[str, Any]:
        """The event row."""
        is_neg_risk = any(market.is_neg_risk for market in event.markets)
        row = self._shared(event.starts_ms, event.ends_ms)
        row["description"] = row["description"].replace("{name}", "the named answer")
        row |= {
            "creationDate": iso(event.starts_ms),
            "openInterest": round(event.liquidity * 0.8, 2),
            "volume1wk": round(event.volume_24h * 6.1, 2),
            "volume1mo": round(event.volume_24h * 19.0, 2),
            "volume1yr": round(event.volume_total, 2),
            "competitive": 0.9,
            "negRisk": is_neg_risk,
            "enableNegRisk": is_neg_risk,
            "negRiskAugmented": False,
            "cumulativeMarkets": False,
            "showAllOutcomes": True,
            "commentCount": 0,
            "series": [],
            "category": "",
        }
        if is_neg_risk:
            row["negRiskMarketID"] = self._group_id(event.slug)
        if event.series_slug:
            row["seriesSlug"] = event.series_slug
            recurring = {"id": event.series_slug, "slug": event.series_slug}
            row["series"] = [recurring | {"title": event.title.split(" - ")[0]}]
        if self._metadata:
            row["eventMetadata"] = self._metadata
        return row

    def _group_id(self, event_slug: str) -> str:
        return f"0x{digest(self._seed, 'group', event_slug)[:62]}00"

    def market(self, market: Market) -> dict[str, Any]:
        """The market row."""
        category = CATEGORIES[self._category]
        row = self._shared(market.starts_ms, market.ends_ms)
        row |= {
            "questionID": f"0x{digest(self._seed, 'question', market.condition_id)}",
            "startDateIso": iso(market.starts_ms)[:10],
            "endDateIso": iso(market.ends_ms)[:10],
            "acceptingOrdersTimestamp": iso(market.starts_ms),
            "groupItemTitle": "",
            "groupItemThreshold": "0",
            "volume1wk": round(market.volume_24h * 6.1, 2),
            "volume1mo": round(market.volume_24h * 19.0, 2),
            "volume1yr": round(market.volume_total, 2),
            "umaBond": "500",
            "umaReward": "5",
            "feesEnabled": market.fees is not None,
            "feeType": category.fee_type,
            "automaticallyResolved": self._is_automatic,
            "clearBookOnStart": False,
            "negRiskOther": False,
            "rewardsMinSize": 0,
            "rewardsMaxSpread": 0,
        }
        if market.fees is not None:
            row["makerBaseFee"] = row["takerBaseFee"] = 1000
            row["feeSchedule"] = {
                "rate": market.fees.rate,
                "exponent": market.fees.exponent,
                "takerOnly": True,
                "rebateRate": market.fees.rebate,
            }
        if self._is_automatic:
            row["eventStartTime"] = iso(market.starts_ms)
        if market.is_neg_risk and market.event is not None:
            rank = market.event.markets.index(market)
            row["groupItemThreshold"] = str(rank)
            row["negRiskMarketID"] = self._group_id(market.event.slug)
            row["questionID"] = f"{row['negRiskMarketID'][:-2]}{rank + 1:02x}"
            row["negRiskRequestID"] = f"0x{digest(self._seed, 'request', market.condition_id)}"
        return row


class AnswerDescription:
    """The row of one answer of a group: the shared texts with the answer's own name."""

    __slots__ = ("_name", "_shared")

    def __init__(self, shared: Description, name: str) -> None:
        self._shared, self._name = shared, name

    def __call__(self, market: Market) -> dict[str, Any]:
        row = self._shared.market(market)
        row["description"] = row["description"].replace("{name}", self._name)
        row["groupItemTitle"] = self._name[:1].upper() + self._name[1:]
        return row
