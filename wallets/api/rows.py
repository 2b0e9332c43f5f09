"""How wallets look on the wire (accounts-api 5.1, 6.2)."""

from typing import Any

from rest_framework import serializers

from polysim.kernel.clock import iso_text
from polysim.kernel.money import money_text
from tenants.models import Firm, WalletKind
from wallets.models import FirmAccount, Wallet


class ManagerAnswer(serializers.Serializer[Any]):
    """The firm behind a firm account."""

    tenant_slug = serializers.CharField()
    display_name = serializers.CharField()


class AccountAnswer(serializers.Serializer[Any]):
    """A firm account as its firm knows it."""

    account_id = serializers.UUIDField()
    stage = serializers.CharField()
    status = serializers.ChoiceField(choices=["active", "closed", "archived"])


class WalletAnswer(serializers.Serializer[Any]):
    """A wallet: `balance` is its free cash."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=WalletKind.choices)
    label = serializers.CharField(allow_null=True)
    balance = serializers.CharField()
    baseline = serializers.CharField()
    status = serializers.ChoiceField(choices=Wallet.Status.choices)
    generation = serializers.IntegerField()
    parent_wallet_id = serializers.IntegerField(allow_null=True)
    competition_id = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)
    is_legacy = serializers.BooleanField()
    managed_by = ManagerAnswer(allow_null=True)
    b2b_account = AccountAnswer(allow_null=True)


def wallet_row(wallet: Wallet, firm: Firm | None = None) -> dict[str, Any]:
    """The wallet object of 6.2; `firm` is whose account it is, None for one of their own."""
    return {
        "id": wallet.pk,
        "kind": wallet.kind,
        "label": wallet.label,
        "balance": money_text(wallet.balance),
        "baseline": money_text(wallet.baseline),
        "status": wallet.status,
        "generation": wallet.generation,
        "parent_wallet_id": wallet.parent_id,
        "competition_id": wallet.competition_id,
        "created_at": iso_text(wallet.created_at),
        "archived_at": iso_text(wallet.archived_at),
        "is_legacy": False,
        "managed_by": _manager_row(firm) if firm else None,
        "b2b_account": _account_row(wallet) if firm else None,
    }


def _manager_row(firm: Firm) -> dict[str, Any]:
    return {"tenant_slug": firm.slug, "display_name": firm.name}


def _account_row(wallet: Wallet) -> dict[str, Any]:
    account: FirmAccount | None = getattr(wallet, "firm_account", None)
    return {
        "account_id": str(wallet.account_id),
        "stage": account.stage if account else "",
        "status": account.status if account else FirmAccount.Status.ARCHIVED,
    }


class MeAnswer(serializers.Serializer[Any]):
    """Who calls, and the cash of the chosen wallet."""

    user_id = serializers.IntegerField()
    id = serializers.IntegerField()
    username = serializers.CharField()
    email = serializers.EmailField(allow_null=True)
    auth_user_id = serializers.CharField(allow_null=True)
    balance = serializers.CharField()
    api_balance = serializers.CharField()
    currency = serializers.CharField()
    tier = serializers.CharField()
    permissions = serializers.ListField(child=serializers.CharField())
    key_count = serializers.IntegerField()
