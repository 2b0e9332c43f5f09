"""News of people for what lies right of this app, sent on commit."""

from django.dispatch import Signal

# A native user was deleted (anonymised): `user`, `now`.
user_deleted = Signal()
