"""A job that can do nothing yet."""


class JobWaits(Exception):
    """Not an error: the job is looked at again in `seconds`, and no attempt is used up."""

    def __init__(self, reason: str, *, seconds: int) -> None:
        super().__init__(reason)
        self.seconds = seconds
