"""The accounts of a person with their worth: switcher, account bar, positions, marks.

Three queries for somebody without firm accounts: wallets, open positions, and none for marks,
which come from the live books. Money and prices are Decimals of dollars.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from django.db.models import Exists

from polysim.kernel.errors import ServiceUnavailable
from polysim.kernel.money import cents
from polysim.kernel.tenancy import current_schema, enter_building
from tenants.models import AccountDirectoryEntry, User, WalletKind
from tenants.selectors import list_accounts as list_directory
from trading.formats import unscaled
from trading.markets import books
from trading.models import Position
from wallets.models import Wallet

KIND_ORDER = (
    WalletKind.MAIN,
    WalletKind.SANDBOX,
    WalletKind.COMPETITION,
    WalletKind.API,
    WalletKind.PROP_FIRM,
)
SHOWN_STATUSES = (Wallet.Status.ACTIVE, Wallet.Status.FROZEN)
BADGES = {
    WalletKind.MAIN: ("main", "MAIN"),
    WalletKind.SANDBOX: ("sandbox", "SANDBOX"),
    WalletKind.COMPETITION: ("main", "CUP"),
    WalletKind.API: ("locked", "API"),
    WalletKind.PROP_FIRM: ("challenge", ""),
}
ZERO = Decimal(0)


@dataclass(frozen=True)
class Holding:
    """An open position with its mark; without a mark it counts at cost (accounts-api 7)."""

    position: Position
    mark: Decimal | None
    marked_at_ms: int = 0

    @property
    def value(self) -> Decimal:
        """Worth in dollars, whole cents; at cost when there is no price."""
        if self.mark is None:
            return cents(self.position.cost)
        return cents(self.position.quantity * self.mark)

    @property
    def profit(self) -> Decimal | None:
        """Value less cost; None without a price."""
        return None if self.mark is None else self.value - cents(self.position.cost)

    @property
    def profit_ratio(self) -> Decimal | None:
        """Profit as a fraction of the cost."""
        profit, cost = self.profit, self.position.cost
        return profit / cost if profit is not None and cost else None

    @property
    def free_quantity(self) -> Decimal:
        """Shares that no resting sell holds."""
        return self.position.quantity - self.position.reserved_quantity


@dataclass(frozen=True)
class Account:
    """One wallet as pages show it. `firm_name` is "" for the person's own wallets."""

    wallet: Wallet
    name: str
    schema: str
    firm_name: str = ""
    holdings: tuple[Holding, ...] = field(default=())

    @property
    def id(self) -> int:
        """The wallet's id, unique over all buildings."""
        return self.wallet.id

    @cached_property
    def positions_value(self) -> Decimal:
        """What the open positions are worth, whole cents."""
        return sum((holding.value for holding in self.holdings), ZERO)

    @property
    def equity(self) -> Decimal:
        """Cash, reserved cash and positions."""
        return self.wallet.balance + self.wallet.reserved + self.positions_value

    @property
    def profit(self) -> Decimal:
        """Equity less what the wallet started with."""
        return self.equity - self.wallet.baseline

    @property
    def profit_ratio(self) -> Decimal | None:
        """Profit as a fraction of the starting balance."""
        return self.profit / self.wallet.baseline if self.wallet.baseline else None

    @property
    def badge(self) -> str:
        """The badge's style."""
        return BADGES[WalletKind(self.wallet.kind)][0]

    @property
    def badge_text(self) -> str:
        """The badge's text; a firm's initials are made by the template."""
        return BADGES[WalletKind(self.wallet.kind)][1]

    @property
    def can_trade(self) -> bool:
        """Whether the ticket may place orders on it: active, and not the API wallet."""
        return not self.closed_reason

    @property
    def closed_reason(self) -> str:
        """Why the ticket is closed, in words; "" when it is open."""
        wallet = self.wallet
        if wallet.kind == WalletKind.API:
            return "This wallet trades by API key only. Switch to another account to trade here."
        if wallet.status == Wallet.Status.FROZEN:
            return "This account is frozen. Its history stays readable."
        if wallet.status != Wallet.Status.ACTIVE:
            return "This account is archived. Its history stays readable."
        if wallet.trading_state == Wallet.TradingState.READ_ONLY:
            return "Trading is switched off on this account. Open positions stay readable."
        if wallet.trading_state == Wallet.TradingState.CLOSED:
            return "This account is closed. Its history stays readable."
        return ""

    @property
    def words(self) -> str:
        """The line below the name in the switcher."""
        if self.wallet.kind == WalletKind.API:
            return "View only, trades by key"
        return "View only" if self.closed_reason else "Open for trading"


def list_own_accounts(user: User) -> list[Account]:
    """Every wallet of the person: their own first, then each firm's by name.

    Wallets of other buildings cost three queries a building, and none where there are none.
    """
    elsewhere = AccountDirectoryEntry.objects.filter(user=user).exclude(
        firm__schema_name=current_schema()
    )
    wallets = list(
        Wallet.objects.filter(user=user, status__in=SHOWN_STATUSES)
        .annotate(has_firm_accounts=Exists(elsewhere))
        .order_by("id")
    )
    accounts = _with_worth(wallets, current_schema(), "")
    if not wallets or wallets[0].has_firm_accounts:
        accounts += _list_firm_accounts(user)
    return accounts


def _list_firm_accounts(user: User) -> list[Account]:
    home = current_schema()
    buildings = {
        entry.firm.schema_name: entry.firm.name
        for entry in list_directory(user=user)
        if entry.firm.schema_name != home
    }
    found: list[Account] = []
    for schema, firm_name in sorted(buildings.items(), key=lambda pair: pair[1]):
        with enter_building(schema):
            rows = Wallet.objects.filter(user=user, status__in=SHOWN_STATUSES).order_by("-id")
            found += _with_worth(list(rows), schema, firm_name)
    return found


def _with_worth(wallets: Sequence[Wallet], schema: str, firm_name: str) -> list[Account]:
    """Accounts of one building; called inside it."""
    wallets = sorted(wallets, key=lambda wallet: KIND_ORDER.index(WalletKind(wallet.kind)))
    positions = _open_positions([wallet.id for wallet in wallets])
    holdings = with_marks(positions)
    names = [wallet.label or wallet.get_kind_display() for wallet in wallets]
    return [
        Account(
            wallet=wallet,
            name=name if names.count(name) == 1 else f"{name} {wallet.id}",
            schema=schema,
            firm_name=firm_name,
            holdings=tuple(
                holding for holding in holdings if holding.position.wallet_id == wallet.id
            ),
        )
        for wallet, name in zip(wallets, names, strict=True)
    ]


def _open_positions(wallet_ids: Sequence[int]) -> list[Position]:
    rows = Position.objects.filter(wallet_id__in=wallet_ids, status=Position.Status.OPEN)
    return list(
        rows.select_related("market", "outcome")
        .only(
            *(field.name for field in Position._meta.concrete_fields),
            "market__condition_id",
            "market__slug",
            "market__question",
            "market__group_item_title",
            "market__ends_at",
            "market__tick_size",
            "market__event_id",
            "outcome__index",
            "outcome__label",
        )
        .order_by("-id")
    )


def with_marks(positions: Iterable[Position]) -> list[Holding]:
    """Positions with the displayed price of their outcome; without live prices at cost."""
    listed = list(positions)
    wanted = [(row.market.condition_id, row.outcome.index) for row in listed]
    try:
        marks = books.read_marks(wanted)
    except ServiceUnavailable:
        marks = {}
    holdings = []
    for row, place in zip(listed, wanted, strict=True):
        mark = marks.get(place)
        price = unscaled(mark.price) if mark else None
        holdings.append(Holding(row, price, mark.at_ms if mark else 0))
    return holdings
