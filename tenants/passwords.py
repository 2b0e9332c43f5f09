"""What ties a token to a password: it is void as soon as the password changes."""

from django.utils.crypto import salted_hmac

from tenants.models import User


def password_mark(user: User) -> str:
    """A fingerprint of the user's password hash that reveals nothing of it."""
    return salted_hmac("polysim.password_mark", user.password, algorithm="sha256").hexdigest()[:24]
