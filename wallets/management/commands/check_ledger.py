"""`manage.py check_ledger`: proves that no cent was made or lost, building by building."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from polysim.kernel.tenancy import enter_building
from tenants.selectors import list_schemas
from wallets.selectors import check_conservation


class Command(BaseCommand):
    """Ends with an error when entries do not sum to zero or a wallet differs from its entries."""

    help = "Check that all ledger entries sum to zero and every wallet equals its entries."

    def handle(self, *args: Any, **options: Any) -> None:
        broken = []
        for schema in list_schemas():
            with enter_building(schema):
                found = check_conservation()
            if found.entries_total or found.unbalanced_wallet_ids:
                broken.append(schema)
            self.stdout.write(
                f"{schema}: entries sum to {found.entries_total}, "
                f"wallets that differ: {list(found.unbalanced_wallet_ids) or 'none'}"
            )
        if broken:
            raise CommandError(f"The ledger is broken in: {', '.join(broken)}")
