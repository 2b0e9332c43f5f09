"""Sealing secrets that must be read again (webhook secrets): encrypted with the installation's key.

Unlike a hash a seal can be opened; without the installation's secret key it tells nothing.
"""

import base64
import hashlib

from cryptography.fernet import Fernet
from django.conf import settings


def seal(text: str) -> str:
    """The sealed form of a secret, to be stored."""
    return _fernet().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """The secret again; raises cryptography's InvalidToken under another installation's key."""
    return _fernet().decrypt(sealed.encode()).decode()


def _fernet() -> Fernet:
    digest = hashlib.sha256(b"polysim.seals" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
