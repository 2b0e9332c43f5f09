"""The UUIDs that go with logins in answers (contracts/README 16)."""

from collections.abc import Iterable

from wallets.models import Wallet


def find_account_ids(logins: Iterable[int]) -> dict[int, str]:
    """`account_id` by login, in one query; 0 and unknown logins are left out."""
    wanted = {login for login in logins if login}
    if not wanted:
        return {}
    rows = Wallet.objects.filter(pk__in=wanted).values_list("pk", "account_id")
    return {login: str(account_id) for login, account_id in rows}
