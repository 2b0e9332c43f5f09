"""Opening, naming and ending wallets (accounts-api 6)."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from polysim.kernel.api.refusals import UpgradeRequired
from polysim.kernel.errors import NotFound, PolysimError, ValidationFailed
from polysim.kernel.tenancy import enter_building, require_building
from tenants.models import Firm, User, WalletKind
from tenants.services import register_account, register_user
from wallets.billing.models import PlanTerms
from wallets.billing.selectors import get_plan_terms, list_plan_terms
from wallets.ledger import deposit
from wallets.models import Wallet
from wallets.services.locking import lock_user
from wallets.services.posting import post

MAIN_BASELINE = Decimal("1000.00")
LABEL_LENGTH_MAX = 64


class WalletNotFound(NotFound):
    """No such wallet, or a stranger's (accounts-api 2.2)."""

    code = "WALLET_NOT_FOUND"

    def __init__(self, wallet_id: int | None = None) -> None:
        named = "This wallet" if wallet_id is None else f"Wallet {wallet_id}"
        super().__init__(f"{named} does not exist or is not yours.")


class WalletLimitReached(PolysimError):
    """The plan's number of sandbox wallets is used up and no higher plan is sold."""

    code = "WALLET_LIMIT_REACHED"
    status = 409
    message = "You have as many sandbox wallets as your plan allows. Archive one first."


@transaction.atomic
def open_wallet(
    *,
    user: User,
    kind: WalletKind,
    baseline: Decimal,
    now: datetime,
    label: str | None = None,
    actor: User | None = None,
    generation: int = 1,
    parent: Wallet | None = None,
    competition_id: int | None = None,
) -> Wallet:
    """A wallet in the current building with its starting balance in the ledger (dollars).

    Ids come from the directory in `public`, written in the same transaction. A second MAIN or
    API wallet of a user raises IntegrityError; outside a building WrongBuilding.
    """
    firm = Firm.objects.get(schema_name=require_building())
    entry = register_account(user=user, firm=firm, kind=kind, now=now)
    wallet = Wallet(
        id=entry.wallet_id,
        account_id=entry.account_id,
        user=user,
        kind=kind,
        label=clean_label(label),
        baseline=baseline,
        generation=generation,
        parent=parent,
        competition_id=competition_id,
        created_at=now,
    )
    wallet.save(force_insert=True)
    return post(wallet=wallet, posting=deposit(wallet_id=wallet.id, amount=baseline), now=now)


@transaction.atomic
def register_retail_user(
    *,
    email: str,
    password: str | None,
    now: datetime,
    actor: User | None = None,
    display_name: str = "",
    plan: str | None = None,
    is_email_verified: bool = False,
) -> User:
    """A retail user with MAIN $1,000.00, both or neither. Raises tenants' EmailTaken."""
    user = register_user(
        email=email,
        password=password,
        now=now,
        actor=actor,
        display_name=display_name,
        plan=plan,
        is_email_verified=is_email_verified,
    )
    open_main_wallet(user=user, now=now, actor=actor)
    return user


@transaction.atomic
def open_main_wallet(*, user: User, now: datetime, actor: User | None = None) -> Wallet:
    """The user's MAIN wallet in the retail building; once, else IntegrityError."""
    with enter_building(settings.RETAIL_SCHEMA):
        return open_wallet(
            user=user, kind=WalletKind.MAIN, baseline=MAIN_BASELINE, now=now, actor=actor
        )


@transaction.atomic
def open_api_wallet(*, user: User, now: datetime, actor: User | None = None) -> Wallet:
    """The user's API wallet at the plan's baseline; an existing one is answered as it is.

    Called in the transaction that makes the first key (accounts-api 4.2).
    """
    with enter_building(settings.RETAIL_SCHEMA):
        lock_user(user_id=user.pk)
        existing = Wallet.objects.filter(user=user, kind=WalletKind.API).order_by("-id").first()
        if existing is not None:
            return existing
        baseline = get_plan_terms(user.plan).api_baseline
        return open_wallet(user=user, kind=WalletKind.API, baseline=baseline, now=now, actor=actor)


@transaction.atomic
def create_sandbox_wallet(
    *, user: User, label: str | None, now: datetime, actor: User | None = None
) -> Wallet:
    """A SANDBOX wallet at the plan's baseline (accounts-api 6.5).

    Raises UpgradeRequired (`wallets.max_sandbox`) where a higher plan that is sold allows more,
    else WalletLimitReached; ValidationFailed for a label that is too long.
    """
    label = clean_label(label)
    with enter_building(settings.RETAIL_SCHEMA):
        lock_user(user_id=user.pk)
        terms = get_plan_terms(user.plan)
        active = Wallet.objects.filter(
            user=user, kind=WalletKind.SANDBOX, status=Wallet.Status.ACTIVE
        ).count()
        if not terms.may_create_sandbox or active >= terms.max_sandbox_wallets:
            raise _sandbox_refusal(terms)
        return open_wallet(
            user=user,
            kind=WalletKind.SANDBOX,
            baseline=terms.sandbox_baseline,
            label=label,
            now=now,
            actor=actor,
        )


def _sandbox_refusal(terms: PlanTerms) -> PolysimError:
    for other in list_plan_terms():
        is_sold = other.price_month_usd is not None
        if is_sold and other.position > terms.position and other.may_create_sandbox:
            if other.max_sandbox_wallets > terms.max_sandbox_wallets:
                return UpgradeRequired("wallets.max_sandbox")
            if not terms.may_create_sandbox:
                return UpgradeRequired("wallets.max_sandbox")
    return WalletLimitReached()


@transaction.atomic
def rename_wallet(
    *, user: User, wallet_id: int, label: str | None, now: datetime, actor: User | None = None
) -> Wallet:
    """Change the label, blank = none (accounts-api 6.6). Raises WalletNotFound."""
    label = clean_label(label)
    wallet = (
        Wallet.objects.select_for_update()
        .filter(pk=wallet_id, user=user)
        .exclude(status=Wallet.Status.DELETED)
        .exclude(kind=WalletKind.PROP_FIRM)
        .first()
    )
    if wallet is None:
        raise WalletNotFound(wallet_id)
    wallet.label = label
    wallet.save(update_fields=["label"])
    return wallet


def clean_label(label: str | None) -> str | None:
    """A label without outer blanks, None for a blank one; ValidationFailed above 64 characters.

    Characters that cannot be shown (controls, changes of direction) are left out.
    """
    label = "".join(sign for sign in label or "" if sign.isprintable()).strip() or None
    if label is not None and len(label) > LABEL_LENGTH_MAX:
        raise ValidationFailed([("label", f"must have at most {LABEL_LENGTH_MAX} characters")])
    return label
