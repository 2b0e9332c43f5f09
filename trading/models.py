"""Orders, fills, positions and settlements, in every building.

Contract: trading-api 4, 7, 9. Prices per share in dollars (0..1), shares and money as Decimal;
money is whole cents. Rows are written by the functions of `trading/sql/` (one statement an order).
"""

import uuid
from typing import Any

from django.conf import settings
from django.db import models

from polysim.kernel.tenancy import BuildingModel
from trading.markets.models import Market, Outcome
from wallets.models import Wallet

PRICE: dict[str, Any] = {"max_digits": 7, "decimal_places": 6}
EXACT_PRICE: dict[str, Any] = {"max_digits": 20, "decimal_places": 12}
SHARES: dict[str, Any] = {"max_digits": 20, "decimal_places": 6}
MONEY: dict[str, Any] = {"max_digits": 20, "decimal_places": 6}


class Side(models.TextChoices):
    BUY = "BUY", "Buy"
    SELL = "SELL", "Sell"


class TimeInForce(models.TextChoices):
    """FAK is stored and shown as IOC."""

    GTC = "GTC", "Good til cancelled"
    GTD = "GTD", "Good til date"
    FOK = "FOK", "Fill or kill"
    IOC = "IOC", "Immediate or cancel"


class PlacedBy(models.TextChoices):
    """Who sent an order: the trader, or the firm's server for them (partner-api B2)."""

    TRADER = "trader", "Trader"
    PARTNER = "partner", "Firm's server"
    FIRM = "firm", "Firm"
    SYSTEM = "system", "Polysim"


class Order(BuildingModel):
    """An accepted order; PENDING ones rest. Ids are one sequence per building."""

    class Type(models.TextChoices):
        MARKET = "market", "Market"
        LIMIT = "limit", "Limit"

    class Status(models.TextChoices):
        PENDING = "PENDING", "Open"
        FILLED = "FILLED", "Filled"
        CANCELLED = "CANCELLED", "Cancelled"
        EXPIRED = "EXPIRED", "Expired"

    id = models.BigAutoField(primary_key=True)
    wallet = models.ForeignKey(
        Wallet, on_delete=models.PROTECT, related_name="orders", db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="+", db_index=False)
    outcome = models.ForeignKey(Outcome, on_delete=models.PROTECT, related_name="+", db_index=False)
    side = models.CharField(max_length=4, choices=Side)
    type = models.CharField(max_length=8, choices=Type)
    time_in_force = models.CharField(max_length=4, choices=TimeInForce)
    price = models.DecimalField(help_text="Limit, or worst price of a market order.", **PRICE)
    quantity = models.DecimalField(help_text="Shares asked for.", **SHARES)
    amount = models.DecimalField(null=True, help_text="Dollars asked for.", **MONEY)
    filled_quantity = models.DecimalField(default=0, **SHARES)
    filled_notional = models.DecimalField(default=0, **MONEY)
    fee = models.DecimalField(default=0, **MONEY)
    average_price = models.DecimalField(null=True, **EXACT_PRICE)
    is_post_only = models.BooleanField(default=False)
    expires_at = models.DateTimeField(null=True)
    status = models.CharField(max_length=12, choices=Status)
    cancelled_reason = models.CharField(max_length=24, blank=True, default="")
    placed_by = models.CharField(
        max_length=8, choices=PlacedBy, default=PlacedBy.TRADER, db_default=PlacedBy.TRADER
    )
    client_order_id = models.CharField(max_length=256, null=True)
    idempotency_key = models.CharField(max_length=256, null=True)
    request_hash = models.CharField(max_length=64, blank=True, default="")
    answer = models.JSONField(default=dict, help_text="What the door answered, for replays.")
    created_at = models.DateTimeField()
    filled_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(filled_quantity__gte=0)
                & models.Q(filled_quantity__lte=models.F("quantity")),
                name="order_fills_at_most_its_quantity",
            ),
            models.CheckConstraint(
                condition=models.Q(price__gt=0) & models.Q(price__lte=1),
                name="order_price_is_a_price",
            ),
            # The key comes first: a user has many orders, a key one, and without statistics the
            # planner would take any index that begins with the user.
            models.UniqueConstraint(
                fields=["idempotency_key", "user"], name="order_idempotency_key_once_per_user"
            ),
            models.UniqueConstraint(
                fields=["client_order_id", "user"], name="order_client_order_id_once_per_user"
            ),
        ]
        indexes = [
            models.Index(fields=["wallet", "-created_at", "-id"], name="order_newest_of_wallet"),
            models.Index(
                fields=["market", "outcome"],
                condition=models.Q(status="PENDING"),
                name="order_open_by_market_matcher",
            ),
            models.Index(
                fields=["wallet"],
                condition=models.Q(status="PENDING"),
                name="order_open_of_wallet",
            ),
            models.Index(
                fields=["expires_at"],
                condition=models.Q(status="PENDING", expires_at__isnull=False),
                name="order_open_by_expiry_sweep",
            ),
            models.Index(
                fields=["wallet", "-filled_at", "-id"],
                condition=models.Q(status="FILLED"),
                name="order_filled_for_history",
            ),
        ]

    def __str__(self) -> str:
        return f"order {self.id}"

    @property
    def remaining_quantity(self):  # type: ignore[no-untyped-def]
        """Shares not filled yet."""
        return self.quantity - self.filled_quantity


class Fill(BuildingModel):
    """One execution with its evidence: levels taken, quote age (law 9). Append-only."""

    class Liquidity(models.TextChoices):
        TAKER = "taker", "Taker"
        MAKER = "maker", "Maker"

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills", db_index=False)
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="+", db_index=False)
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="+", db_index=False)
    outcome = models.ForeignKey(Outcome, on_delete=models.PROTECT, related_name="+", db_index=False)
    side = models.CharField(max_length=4, choices=Side)
    price = models.DecimalField(help_text="Volume weighted, exact.", **EXACT_PRICE)
    quantity = models.DecimalField(**SHARES)
    notional = models.DecimalField(**MONEY)
    fee = models.DecimalField(**MONEY)
    liquidity = models.CharField(max_length=8, choices=Liquidity)
    realized_pnl = models.DecimalField(default=0, **MONEY)
    placed_by = models.CharField(
        max_length=8, choices=PlacedBy, default=PlacedBy.TRADER, db_default=PlacedBy.TRADER
    )
    match_key = models.CharField(max_length=80, help_text="A repeated match finds its own fill.")
    evidence = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(quantity__gt=0), name="fill_quantity_is_positive"
            ),
            models.CheckConstraint(condition=models.Q(fee__gte=0), name="fill_fee_is_not_negative"),
            models.UniqueConstraint(
                fields=["order", "match_key"], name="fill_once_per_order_and_match"
            ),
        ]
        indexes = [
            models.Index(fields=["wallet", "-created_at", "-id"], name="fill_newest_of_wallet"),
            models.Index(fields=["wallet", "market", "-id"], name="fill_of_wallet_in_market_chart"),
        ]

    def __str__(self) -> str:
        return f"fill {self.id}"


class Position(BuildingModel):
    """Shares of one outcome in one wallet; `cost` is what the open shares were bought for."""

    class Status(models.TextChoices):
        OPEN = "OPEN", "Open"
        CLOSED = "CLOSED", "Closed"
        CLOSED_BY_RESET = "CLOSED_BY_RESET", "Closed by reset"

    id = models.BigAutoField(primary_key=True)
    wallet = models.ForeignKey(
        Wallet, on_delete=models.PROTECT, related_name="positions", db_index=False
    )
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="+", db_index=False)
    outcome = models.ForeignKey(Outcome, on_delete=models.PROTECT, related_name="+", db_index=False)
    quantity = models.DecimalField(**SHARES)
    reserved_quantity = models.DecimalField(
        default=0, help_text="Shares behind resting sells.", **SHARES
    )
    cost = models.DecimalField(help_text="Dollars, to 6 places, fees not in it.", **MONEY)
    average_price = models.DecimalField(help_text="Of the buys; kept when closed.", **EXACT_PRICE)
    realized_pnl = models.DecimalField(default=0, **MONEY)
    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["wallet", "outcome"],
                condition=models.Q(status="OPEN"),
                name="position_open_once_per_wallet_and_outcome",
            ),
            models.CheckConstraint(
                condition=models.Q(quantity__gte=0) & models.Q(reserved_quantity__gte=0),
                name="position_shares_are_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(reserved_quantity__lte=models.F("quantity")),
                name="position_reserves_only_what_it_has",
            ),
        ]
        indexes = [
            models.Index(fields=["wallet", "-id"], name="position_newest_of_wallet"),
            models.Index(
                fields=["market"],
                condition=models.Q(status="OPEN"),
                name="position_open_by_market_settle",
            ),
        ]

    def __str__(self) -> str:
        return f"position {self.id}"


class Settlement(BuildingModel):
    """What a position was paid at its market's resolution; a correction is a new version."""

    class Result(models.TextChoices):
        WON = "won", "Won"
        LOST = "lost", "Lost"
        SPLIT = "split", "Split"
        PARTIAL = "partial", "Partial"
        EXPIRED = "expired", "Expired"
        UNKNOWN = "unknown", "Unknown"

    id = models.BigAutoField(primary_key=True)
    position = models.ForeignKey(
        Position, on_delete=models.PROTECT, related_name="settlements", db_index=False
    )
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="+", db_index=False)
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.PositiveSmallIntegerField()
    quantity = models.DecimalField(**SHARES)
    average_price = models.DecimalField(**EXACT_PRICE)
    cost = models.DecimalField(**MONEY)
    payout_per_share = models.DecimalField(max_digits=7, decimal_places=6)
    payout = models.DecimalField(**MONEY)
    realized_pnl = models.DecimalField(**MONEY)
    result = models.CharField(max_length=8, choices=Result)
    settled_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["position", "version"], name="settlement_once_per_position_and_version"
            )
        ]
        indexes = [
            models.Index(fields=["wallet", "-position"], name="settlement_newest_of_wallet"),
        ]

    def __str__(self) -> str:
        return f"settlement of {self.position_id} v{self.version}"


class Trade(BuildingModel):
    """A row of a firm account's trades feed: a fill or a settlement, numbered without gaps.

    Written by triggers in the transaction that books it, under the account's row lock, so that no
    lower `seq` ever becomes visible after a higher one. Append-only. Contract: partner-api 6.
    """

    class Kind(models.TextChoices):
        FILL = "fill", "Fill"
        SETTLEMENT = "settlement", "Settlement"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wallet = models.ForeignKey(
        Wallet, on_delete=models.PROTECT, related_name="trades", db_index=False
    )
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=12, choices=Kind)
    attempt = models.PositiveIntegerField()
    order_id = models.BigIntegerField(null=True)
    fill = models.ForeignKey(
        Fill, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    settlement = models.ForeignKey(
        Settlement, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="+", db_index=False)
    outcome = models.ForeignKey(Outcome, on_delete=models.PROTECT, related_name="+", db_index=False)
    side = models.CharField(max_length=4, choices=Side)
    price = models.DecimalField(**EXACT_PRICE)
    quantity = models.DecimalField(**SHARES)
    notional = models.DecimalField(**MONEY)
    fee = models.DecimalField(**MONEY)
    liquidity = models.CharField(max_length=8, blank=True, default="")
    realized_pnl = models.DecimalField(help_text="Net of the fee.", **MONEY)
    cash_delta = models.DecimalField(**MONEY)
    balance_after = models.DecimalField(help_text="All cash, held cash included.", **MONEY)
    placed_by = models.CharField(max_length=8, choices=PlacedBy)
    local_date = models.DateField(help_text="In the account's time zone.")
    filled_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["wallet", "seq"], name="trade_seq_once_per_account")
        ]
        indexes = [
            models.Index(fields=["wallet", "filled_at", "seq"], name="trade_of_account_by_time")
        ]

    def __str__(self) -> str:
        return f"trade {self.seq} of {self.wallet_id}"
