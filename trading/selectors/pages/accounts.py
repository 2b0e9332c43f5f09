"""The accounts of a person with their worth: switcher, account bar, positions, marks.

Two queries for somebody without firm accounts: all wallets, and the open positions of the active
one, whose marks come from the live books. The others show their last recorded equity (every five
minutes). Money and prices are Decimals of dollars.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from polysim.kernel.errors import ServiceUnavailable
from polysim.kernel.money import cents
from polysim.kernel.tenancy import current_schema, enter_building
from tenants.models import AccountDirectoryEntry, Firm, User, WalletKind
from tenants.selectors import list_accounts as list_directory
from trading.formats import unscaled
from trading.markets import books
from trading.models import Position
from wallets.models import EquityPoint, FirmAccount, Wallet

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
FUNDED_STAGE = "funded"
# Firm accounts in the switcher: by stage, those that ended last.
STAGE_ORDER = ("demo", "challenge", FUNDED_STAGE)
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
    """One wallet as pages show it. `firm_name` is "" for the person's own wallets.

    `is_valued`: its positions were read and valued now (the active account's); otherwise
    `recorded_equity` is what it was worth when last recorded, None before the first time.
    """

    wallet: Wallet
    name: str
    schema: str
    firm_name: str = ""
    firm_slug: str = ""
    recorded_equity: Decimal | None = None
    is_valued: bool = False
    holdings: tuple[Holding, ...] = field(default=())

    def building(self) -> AbstractContextManager[None]:
        """The building its rows stand in; costs nothing where one is inside already."""
        return nullcontext() if current_schema() == self.schema else enter_building(self.schema)

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
        """Cash, reserved cash and positions: live where valued, else as last recorded."""
        if not self.is_valued and self.recorded_equity is not None:
            return self.recorded_equity
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
    def firm_account(self) -> FirmAccount | None:
        """What a firm's account is beyond its wallet; None for the person's own wallets."""
        if self.wallet.kind != WalletKind.PROP_FIRM:
            return None
        return getattr(self.wallet, "firm_account", None)

    @property
    def stage(self) -> str:
        """The firm's label of the account: demo, challenge, funded ...; "" for own wallets."""
        return self.firm_account.stage if self.firm_account else ""

    @property
    def is_closed(self) -> bool:
        """Whether its firm closed it: it left the switcher, its history stays readable."""
        return bool(self.firm_name) and self.wallet.status == Wallet.Status.ARCHIVED

    @property
    def is_ended(self) -> bool:
        """Whether a firm account takes no orders any more."""
        return bool(self.firm_name) and bool(self.closed_reason)

    @property
    def badge(self) -> str:
        """The badge's style."""
        if self.is_ended:
            return "locked"
        if self.stage == FUNDED_STAGE:
            return "funded"
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
        if wallet.trading_state == Wallet.TradingState.CLOSED:
            return "The firm closed this account. Its history stays readable."
        if wallet.status != Wallet.Status.ACTIVE:
            return "This account is archived. Its history stays readable."
        if wallet.trading_state == Wallet.TradingState.READ_ONLY:
            told = self.firm_account.read_only_reason if self.firm_account else ""
            why = told or "Trading is switched off on this account"
            return f"{why.rstrip('.')}. Open positions stay readable."
        return ""

    @property
    def words(self) -> str:
        """The line below the name in the switcher."""
        if self.wallet.kind == WalletKind.API:
            return "View only, trades by key"
        state = "View only" if self.closed_reason else "Open for trading"
        return f"{self.stage.title()}, {state.lower()}" if self.stage else state


@dataclass(frozen=True)
class OwnAccounts:
    """All accounts of a person, and the active one (None for somebody without any)."""

    all: tuple[Account, ...] = ()
    active: Account | None = None


def read_own_accounts(user: User, *, chosen_id: int | None) -> OwnAccounts:
    """Every wallet of the person: their own first, then each firm's by name.

    The active one is `chosen_id` if it is among them, else the first (Main); it alone is valued.
    """
    elsewhere = AccountDirectoryEntry.objects.filter(user=user).exclude(
        firm__schema_name=current_schema()
    )
    wallets = list(_shown_wallets(user).annotate(has_firm_accounts=Exists(elsewhere)))
    accounts = _to_accounts(wallets, current_schema(), None)
    if not wallets or wallets[0].has_firm_accounts:
        accounts += _list_firm_accounts(user)
    if not accounts:
        return OwnAccounts()
    chosen = next((account for account in accounts if account.id == chosen_id), accounts[0])
    active = _valued(chosen)
    listed = tuple(active if account is chosen else account for account in accounts)
    return OwnAccounts(listed, active)


def read_firm_account(*, wallet_id: int, firm: Firm) -> Account | None:
    """A firm's account as its trader sees it, valued; None for an unknown id. In its building."""
    rows = _with_recorded_equity(Wallet.objects.filter(kind=WalletKind.PROP_FIRM, pk=wallet_id))
    found = _to_accounts(list(rows), current_schema(), firm)
    return _valued(found[0]) if found else None


def _shown_wallets(user: User) -> QuerySet[Wallet]:
    is_shown = Q(status__in=SHOWN_STATUSES) | Q(kind=WalletKind.PROP_FIRM)
    rows = Wallet.objects.filter(is_shown, user=user).exclude(status=Wallet.Status.DELETED)
    return _with_recorded_equity(rows).order_by("id")


def _with_recorded_equity(rows: QuerySet[Wallet]) -> QuerySet[Wallet]:
    points = EquityPoint.objects.filter(wallet_id=OuterRef("pk")).order_by("-hour_at")
    worth = points.annotate(worth=F("cash") + F("position_value")).values("worth")[:1]
    return rows.select_related("firm_account").annotate(recorded_equity=Subquery(worth))


def _valued(account: Account) -> Account:
    """The account with its open positions at their present marks. One query."""
    with account.building():
        holdings = with_marks(_open_positions(account.id))
    return replace(account, holdings=tuple(holdings), is_valued=True)


def _list_firm_accounts(user: User) -> list[Account]:
    home = current_schema()
    buildings = {
        entry.firm.schema_name: entry.firm
        for entry in list_directory(user=user)
        if entry.firm.schema_name != home and entry.firm.is_active
    }
    found: list[Account] = []
    for schema, firm in sorted(buildings.items(), key=lambda pair: pair[1].name):
        with enter_building(schema):
            accounts = _to_accounts(list(_shown_wallets(user).reverse()), schema, firm)
            found += sorted(accounts, key=_place_in_switcher)
    return found


def _place_in_switcher(account: Account) -> tuple[bool, int]:
    """Open accounts first, by stage; newest first within a stage (the sort is stable)."""
    stage = account.stage
    position = STAGE_ORDER.index(stage) if stage in STAGE_ORDER else len(STAGE_ORDER)
    return account.is_ended, position


def _to_accounts(wallets: Sequence[Wallet], schema: str, firm: Firm | None) -> list[Account]:
    wallets = sorted(wallets, key=lambda wallet: KIND_ORDER.index(WalletKind(wallet.kind)))
    names = [_name_of(wallet) for wallet in wallets]
    counted = Counter(names)
    return [
        Account(
            wallet=wallet,
            name=name if counted[name] == 1 else f"{name} {wallet.id}",
            schema=schema,
            firm_name=firm.name if firm else "",
            firm_slug=firm.slug if firm else "",
            recorded_equity=wallet.recorded_equity,  # type: ignore[attr-defined]
        )
        for wallet, name in zip(wallets, names, strict=True)
    ]


def _name_of(wallet: Wallet) -> str:
    """The label; a firm account without one is named by its stage and the firm's id of it."""
    account: FirmAccount | None = getattr(wallet, "firm_account", None)
    if wallet.label or account is None:
        return wallet.label or str(wallet.get_kind_display())
    return f"{account.stage.title()} {account.external_id}"


def _open_positions(wallet_id: int) -> list[Position]:
    rows = Position.objects.filter(wallet_id=wallet_id, status=Position.Status.OPEN)
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
