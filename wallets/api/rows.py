"""How wallets look on the wire (accounts-api 5.1, 6.2)."""

from typing import Any

from rest_framework import serializers

from polysim.kernel.clock import iso_text
from polysim.kernel.money import money_text
from tenants.models import WalletKind
from wallets.models import Wallet


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
    managed_by = serializers.DictField(allow_null=True)
    b2b_account = serializers.DictField(allow_null=True)


def wallet_row(wallet: Wallet) -> dict[str, Any]:
    """The wallet object of 6.2."""
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
        "managed_by": None,
        "b2b_account": None,
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
