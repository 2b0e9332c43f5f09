"""Secrets and signatures of Standard Webhooks 1.0.0 (partner-api B3)."""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

SECRET_BYTES = 32


def make_secret() -> str:
    """A new signing secret: `whsec_` and base64 of 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign_attempt(
    *, message_id: str, body: str, sent_at: datetime, secrets_in_force: Sequence[str]
) -> dict[str, str]:
    """The three headers of one attempt; one signature for each secret, separated by a space."""
    moment = sent_at.astimezone(UTC)
    signatures = [Webhook(secret).sign(message_id, moment, body) for secret in secrets_in_force]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
