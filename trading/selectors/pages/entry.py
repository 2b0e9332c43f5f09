"""Which account a firm's trader finds open after signing in by a login link (partner-api 3)."""

from tenants.models import Firm, User
from trading.selectors.pages.accounts import Account, read_own_accounts


def find_newest_account(*, user: User, firm: Firm) -> Account | None:
    """The trader's newest account of this firm, one open for orders before ended ones."""
    own = read_own_accounts(user, chosen_id=None).all
    accounts = [account for account in own if account.schema == firm.schema_name]
    return max(accounts, key=lambda account: (not account.is_ended, account.id), default=None)
