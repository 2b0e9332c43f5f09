"""Refusals that every door shares; those of one service stand beside it (accounts-api 2.2)."""

from polysim.kernel.errors import PolysimError


class BadRequest(PolysimError):
    """The body cannot be read as JSON."""

    code = "BAD_REQUEST"
    status = 400
    message = "The body could not be read as JSON."


class MissingApiKey(PolysimError):
    """A key-only endpoint was called without a key."""

    code = "MISSING_API_KEY"
    status = 401
    message = "This endpoint needs an API key in the header X-API-Key."


class MissingAuth(PolysimError):
    """Nothing usable was sent to an endpoint that needs a caller."""

    code = "MISSING_AUTH"
    status = 401
    message = "Sign in, or send an access token or an API key where this endpoint takes one."


class InvalidKey(PolysimError):
    """The key is unknown, revoked or expired; which of them is not said."""

    code = "INVALID_KEY"
    status = 401
    message = "This API key is not valid."


class InvalidToken(PolysimError):
    """The access token is malformed, expired, or void after a password change."""

    code = "INVALID_TOKEN"
    status = 401
    message = "This access token is not valid any more. Get a new one."


class UserNotFound(PolysimError):
    """The credential is good but its user is gone."""

    code = "USER_NOT_FOUND"
    status = 401
    message = "The account behind this credential does not exist any more."


class InsufficientPermission(PolysimError):
    """The key lacks the scope."""

    code = "INSUFFICIENT_PERMISSION"
    status = 403

    def __init__(self, permission: str) -> None:
        super().__init__(f"API key missing required permission: {permission}")


class AccessRestricted(PolysimError):
    """The account is not admitted to the API."""

    code = "ACCESS_RESTRICTED"
    status = 403
    message = "This account may not use the API at present."


class Forbidden(PolysimError):
    """A rule of the door, none of the special ones."""

    code = "ACCESS_RESTRICTED"
    status = 403
    message = "This is not allowed."


class CsrfFailed(PolysimError):
    """A browser session sent a change without its CSRF token."""

    code = "CSRF_FAILED"
    status = 403
    message = "The page was open for too long. Reload it and try again."


class MethodNotAllowed(PolysimError):
    """The address exists, the method does not."""

    code = "METHOD_NOT_ALLOWED"
    status = 405
    message = "This address does not take this method."


class PayloadTooLarge(PolysimError):
    """The body is larger than any request of this API needs."""

    code = "PAYLOAD_TOO_LARGE"
    status = 413
    message = "The body is too large."


class UnsupportedMediaType(PolysimError):
    """The body is not announced as JSON."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415
    message = "Send the body as application/json."


class RateLimitExceeded(PolysimError):
    """One of the two windows is full (accounts-api 2.3); `Retry-After` is in seconds."""

    code = "RATE_LIMIT_EXCEEDED"
    status = 429

    def __init__(self, *, retry_after_s: int, window: str) -> None:
        super().__init__(
            f"Too many requests in this {window}. Try again in {retry_after_s} s.",
            headers={"Retry-After": str(retry_after_s)},
        )


class UpgradeRequired(PolysimError):
    """The plan does not include the feature; `feature_key` is a name of accounts-api 5.2."""

    code = "UPGRADE_REQUIRED"
    status = 402

    def __init__(self, feature_key: str, message: str | None = None) -> None:
        super().__init__(
            message or "Your plan does not include this.",
            extra={"feature_key": feature_key, "upgrade_url": "/pricing"},
        )


class IdempotencyKeyReuse(PolysimError):
    """The same Idempotency-Key came with another body."""

    code = "IDEMPOTENCY_KEY_REUSE"
    status = 409
    message = "This Idempotency-Key was already used with another body."


class IdempotencyConflictPending(PolysimError):
    """The first request with this Idempotency-Key is still running."""

    code = "IDEMPOTENCY_CONFLICT_PENDING"
    status = 409
    message = "The first request with this Idempotency-Key is still running."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})
