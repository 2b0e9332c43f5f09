from standardwebhooks import Webhook, WebhookVerificationError


def is_ours(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Check a delivery before trusting it; `secret` is the whsec_... you were shown once."""
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True
