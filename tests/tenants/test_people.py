"""Users, keys, roles and their audit."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import DatabaseError, IntegrityError, transaction
from django.test import Client

from tenants.models import (
    AccountDirectoryEntry,
    ApiKey,
    IdentityAuditEntry,
    User,
    WalletKind,
)
from tenants.selectors import (
    count_active_keys,
    find_membership,
    find_own_account,
    find_user_by_email,
    list_accounts,
)
from tenants.services import (
    EmailTaken,
    KeyLimitReached,
    KeyNotFound,
    anonymise_user,
    create_api_key,
    deactivate_user,
    grant_role,
    make_handle,
    register_account,
    register_user,
    revoke_api_key,
    revoke_role,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2027, 1, 5, 10, 0, tzinfo=UTC)


@pytest.fixture
def mira(retail: Any) -> User:
    return register_user(email="Mira@People.example", password="a long password", now=NOW)


@pytest.fixture
def noor(retail: Any) -> User:
    return register_user(email="noor@people.example", password=None, now=NOW)


def test_an_address_is_kept_in_lower_case_and_found_in_any(mira: User) -> None:
    assert mira.email == "mira@people.example"
    assert find_user_by_email(" MIRA@people.EXAMPLE ") == mira


def test_an_address_in_another_case_is_taken(mira: User) -> None:
    with pytest.raises(EmailTaken):
        register_user(email="MIRA@PEOPLE.EXAMPLE", password=None, now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(email="MIRA@people.example", handle="other")


def test_public_names_are_made_up(retail: Any) -> None:
    names = {make_handle() for _ in range(50)}
    assert len(names) > 45
    assert all(re.fullmatch(r"trader-[2-9a-hjkmnp-z]{5}", name) for name in names)


def test_a_user_without_a_password_cannot_use_an_empty_one(noor: User) -> None:
    assert not noor.has_usable_password()
    assert not noor.check_password("")


def test_a_key_is_kept_as_a_hash_only(mira: User) -> None:
    row, raw_key = create_api_key(
        user=mira, tier="free", permissions=["trade"], now=NOW, actor=mira, name="momentum"
    )
    assert re.fullmatch(r"ps_(live|test)_[0-9a-f]{64}", raw_key)
    assert len(raw_key) == 72
    assert row.key_prefix == raw_key[:16]
    assert row.permissions == ["read", "trade"]
    stored = " ".join(str(value) for value in ApiKey.objects.values().get().values())
    assert raw_key not in stored
    assert raw_key[16:40] not in stored


def test_a_plans_limit_of_keys_counts_active_ones(mira: User) -> None:
    make = {"user": mira, "tier": "free", "permissions": ["read"], "now": NOW, "actor": mira}
    first, _ = create_api_key(**make, keys_max=2)
    create_api_key(**make, keys_max=2)
    with pytest.raises(KeyLimitReached):
        create_api_key(**make, keys_max=2)
    revoke_api_key(user=mira, key_id=first.pk, actor=mira, now=NOW)
    create_api_key(**make, keys_max=2)
    assert count_active_keys(user=mira) == 2


def test_a_strangers_key_cannot_be_revoked_and_one_only_once(mira: User, noor: User) -> None:
    row, _ = create_api_key(user=mira, tier="free", permissions=["read"], now=NOW, actor=mira)
    with pytest.raises(KeyNotFound):
        revoke_api_key(user=noor, key_id=row.pk, actor=noor, now=NOW)
    revoke_api_key(user=mira, key_id=row.pk, actor=mira, now=NOW)
    with pytest.raises(KeyNotFound):
        revoke_api_key(user=mira, key_id=row.pk, actor=mira, now=NOW)


def test_leaving_closes_every_door(mira: User, alpha: Any) -> None:
    create_api_key(user=mira, tier="free", permissions=["read"], now=NOW, actor=mira)
    grant_role(user=mira, firm=alpha, role="viewer", actor=None, now=NOW)
    client = Client()
    client.force_login(mira, backend="django.contrib.auth.backends.ModelBackend")
    deactivate_user(user=mira, actor=None, now=datetime.now(UTC))
    assert not User.objects.get(pk=mira.pk).is_active
    assert count_active_keys(user=mira) == 0
    assert find_membership(user=mira, firm=alpha) is None
    assert Session.objects.count() == 0


def test_an_anonymised_user_is_nobody_but_stays_a_row(mira: User) -> None:
    anonymise_user(user=mira, actor=None, now=NOW)
    row = User.objects.get(pk=mira.pk)
    assert row.email == f"deleted-{mira.pk}@deleted.invalid"
    assert row.handle == f"deleted-{mira.pk}"
    assert not row.has_usable_password()
    assert find_user_by_email("mira@people.example") is None
    assert register_user(email="mira@people.example", password=None, now=NOW).pk != mira.pk


def test_a_user_with_wallets_cannot_be_deleted(mira: User, retail: Any) -> None:
    register_account(user=mira, firm=retail, kind=WalletKind.MAIN, now=NOW)
    with pytest.raises(Exception, match=r"protected|building"):
        mira.delete()


def test_ids_of_wallets_are_unique_in_all_buildings(
    mira: User, noor: User, retail: Any, alpha: Any
) -> None:
    entries = [
        register_account(user=mira, firm=retail, kind=WalletKind.MAIN, now=NOW),
        register_account(user=mira, firm=alpha, kind=WalletKind.PROP_FIRM, now=NOW),
        register_account(user=noor, firm=alpha, kind=WalletKind.PROP_FIRM, now=NOW),
    ]
    assert len({entry.wallet_id for entry in entries}) == 3
    assert len({entry.account_id for entry in entries}) == 3
    assert [entry.firm.slug for entry in list_accounts(user=mira)] == ["retail", "alpha"]
    assert find_own_account(user=mira, wallet_id=entries[1].wallet_id) == entries[1]
    assert find_own_account(user=mira, wallet_id=entries[2].wallet_id) is None


def test_a_second_main_or_api_wallet_is_refused_by_the_directory(mira: User, retail: Any) -> None:
    for kind in (WalletKind.MAIN, WalletKind.API):
        register_account(user=mira, firm=retail, kind=kind, now=NOW)
        with pytest.raises(IntegrityError), transaction.atomic():
            register_account(user=mira, firm=retail, kind=kind, now=NOW)
    assert AccountDirectoryEntry.objects.filter(user=mira).count() == 2


def test_a_role_is_given_changed_and_ended_with_its_audit(mira: User, alpha: Any) -> None:
    membership = grant_role(user=mira, firm=alpha, role="viewer", actor=None, now=NOW)
    grant_role(user=mira, firm=alpha, role="manager", actor=mira, now=NOW)
    revoke_role(membership=membership, actor=mira, now=NOW)
    entries = IdentityAuditEntry.objects.filter(object_type="staffmembership").order_by("id")
    assert [entry.action for entry in entries] == [
        "staff.granted",
        "staff.granted",
        "staff.revoked",
    ]
    assert entries[1].before["role"] == "viewer"
    assert entries[1].after["role"] == "manager"


def test_what_is_rolled_back_leaves_no_audit(mira: User) -> None:
    before = IdentityAuditEntry.objects.count()
    with transaction.atomic():
        deactivate_user(user=mira, actor=None, now=NOW)
        transaction.set_rollback(True)
    assert IdentityAuditEntry.objects.count() == before


def test_the_audit_is_append_only(mira: User) -> None:
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        IdentityAuditEntry.objects.update(action="something else")
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        IdentityAuditEntry.objects.all().delete()


def test_the_audit_holds_no_secret(mira: User) -> None:
    _, raw_key = create_api_key(user=mira, tier="free", permissions=["read"], now=NOW, actor=mira)
    text = str(list(IdentityAuditEntry.objects.values()))
    assert raw_key not in text
    assert "a long password" not in text
