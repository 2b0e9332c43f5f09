"""News of people for what lies right of this app and for workers, sent on commit."""

from django.dispatch import Signal

# A native user was deleted (anonymised): `user`, `now`.
user_deleted = Signal()
# A login link waits to be mailed: `link_id`, `sealed_token`.
login_link_made = Signal()
