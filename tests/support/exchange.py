"""A small exchange for tests: markets with books in Valkey, people with wallets.

Prices and sizes are decimal text as in the contract's examples: `ask("0.65", 6)`.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from polysim.kernel.clock import to_milliseconds
from polysim.kernel.money import to_scaled
from polysim.kernel.tenancy import enter_building
from tenants.models import User, WalletKind
from trading.markets.books import MarketWrite, TokenBook, write_market
from trading.markets.models import Market, Outcome
from trading.markets.pricing import Book
from trading.services import Caller, parse_order, place_order
from trading.services.market_terms import forget_market_terms
from wallets.models import Wallet
from wallets.services import open_wallet

NOW = datetime(2027, 1, 5, 10, 0, 2, tzinfo=UTC)
_numbers = itertools.count(1)

Level = tuple[str, str | int]


def make_market(
    *,
    labels: tuple[str, str] = ("Yes", "No"),
    fee_rate: str = "0.07",
    tick_size: str = "0.01",
    min_order_size: str = "5",
    **fields: Any,
) -> Market:
    """An open crypto market (700 bps) with two outcomes."""
    number = next(_numbers)
    market = Market.objects.create(
        condition_id=f"0x{number:064x}",
        venue_id=str(100_000 + number),
        slug=f"market-{number}",
        question=f"Will it happen ({number})?",
        category="crypto",
        tick_size=Decimal(tick_size),
        min_order_size=Decimal(min_order_size),
        fee_rate=Decimal(fee_rate),
        **fields,
    )
    for index, label in enumerate(labels):
        Outcome.objects.create(
            market=market, index=index, label=label, token_id=f"{number}00{index}"
        )
    forget_market_terms()
    return market


def set_book(
    market: Market,
    *,
    bids: Iterable[Level] = (),
    asks: Iterable[Level] = (),
    complement_bids: Iterable[Level] = (),
    complement_asks: Iterable[Level] = (),
    last_trade: str | None = None,
    now: datetime = NOW,
    status: str = "live",
    confirmed_at: datetime | None = None,
) -> int:
    """Write both outcomes' books as the feed does, as a fresh snapshot; answers the seq."""
    tokens = list(market.outcomes.order_by("index").values_list("token_id", flat=True))
    own = _token(tokens[0], bids, asks, last_trade=last_trade, now=now, status=status)
    other = _token(
        tokens[1], complement_bids, complement_asks, last_trade=None, now=now, status=status
    )
    return write_market(
        MarketWrite(
            condition_id=market.condition_id,
            books=(own, other),
            confirmed_at_ms=to_milliseconds(confirmed_at or now),
            is_fresh_snapshot=True,
        ),
        now_ms=to_milliseconds(now),
    )


def _token(
    token_id: str,
    bids: Iterable[Level],
    asks: Iterable[Level],
    *,
    last_trade: str | None,
    now: datetime,
    status: str,
) -> TokenBook:
    return TokenBook(
        token_id=token_id,
        book=Book(
            bids=tuple(sorted(_scaled(bids), reverse=True)), asks=tuple(sorted(_scaled(asks)))
        ),
        status=status,
        venue_ms=to_milliseconds(now),
        last_trade=None if last_trade is None else to_scaled(Decimal(last_trade)),
        last_trade_ms=to_milliseconds(now),
    )


def _scaled(levels: Iterable[Level]) -> list[tuple[int, int]]:
    return [(to_scaled(Decimal(price)), to_scaled(Decimal(size))) for price, size in levels]


def make_user(*, plan: str = "pro", email: str | None = None) -> User:
    """A person without wallets."""
    number = next(_numbers)
    return User.objects.create_user(
        email or f"trader{number}@example.org", None, handle=f"trader-{number}", plan=plan
    )


@dataclass
class Trader:
    """A person with one wallet, and orders in one line each."""

    user: User
    wallet: Wallet
    schema: str = "retail"

    def place(self, market: Market, side: str, outcome: str = "Yes", **body: Any) -> dict[str, Any]:
        """Place a 4.1 body through the service: `place(m, "BUY", quantity="10", price="0.68")`."""
        now = body.pop("now", NOW)
        key = body.pop("key", None)
        is_key = body.pop("is_key", False)
        limit = body.pop("daily_order_limit", None)
        full = {
            "market_id": market.condition_id,
            "side": side,
            "outcome": outcome,
            "wallet_id": self.wallet.pk,
            **body,
        }
        caller = Caller(user_id=self.user.pk, is_key=is_key, daily_order_limit=limit)
        with enter_building(self.schema):
            command = parse_order(full, is_key=is_key, idempotency_key=key)
            return place_order(command=command, caller=caller, now=now)

    @property
    def balance(self) -> Decimal:
        """Free cash now."""
        return self._fresh().balance

    @property
    def reserved(self) -> Decimal:
        """Cash behind resting buys now."""
        return self._fresh().reserved

    def _fresh(self) -> Wallet:
        with enter_building(self.schema):
            return Wallet.objects.get(pk=self.wallet.pk)

    def position(self, market: Market, outcome: str = "Yes") -> Any:
        """The open position in an outcome, or None."""
        from trading.models import Position

        with enter_building(self.schema):
            return Position.objects.filter(
                wallet=self.wallet, market=market, outcome__label=outcome, status="OPEN"
            ).first()


def make_trader(
    *,
    cash: str = "10000.00",
    kind: WalletKind = WalletKind.SANDBOX,
    schema: str = "retail",
    user: User | None = None,
    plan: str = "pro",
) -> Trader:
    """A person with a wallet of `cash` dollars."""
    person = user or make_user(plan=plan)
    with enter_building(schema):
        wallet = open_wallet(user=person, kind=kind, baseline=Decimal(cash), now=NOW)
    return Trader(person, wallet, schema)


def make_firm_trader(
    *,
    cash: str = "10000.00",
    schema: str = "alpha",
    user: User | None = None,
    external_id: str | None = None,
    stage: str = "challenge",
    **fields: Any,
) -> Trader:
    """A firm's trader (registered with it) with one firm account of `cash` dollars."""
    from tenants.models import Firm, Participant
    from wallets.services import open_firm_account

    person = user or make_user()
    number = next(_numbers)
    firm = Firm.objects.get(schema_name=schema)
    Participant.objects.get_or_create(
        firm=firm,
        user=person,
        defaults={"external_id": f"trader-{number}", "email": person.email, "created_at": NOW},
    )
    with enter_building(schema):
        account = open_firm_account(
            user=person,
            external_id=external_id or f"account-{number}",
            stage=stage,
            starting_balance=Decimal(cash),
            now=NOW,
            **fields,
        )
    return Trader(person, account.wallet, schema)
