"""The code printed in the guide; the quickstart's pieces run one after another as printed."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "examples" / "partner"
QUICKSTART = ("users", "accounts", "link", "read")


@dataclass(frozen=True, slots=True)
class Example:
    """One step in the shell and in Python; "" where it is only in the other."""

    name: str
    curl: str
    python: str


@lru_cache(maxsize=1)
def load_examples() -> dict[str, Example]:
    """All examples by name, with this installation's address in them."""
    names = sorted({path.stem for path in FOLDER.iterdir() if path.suffix in (".sh", ".py")})
    return {name: Example(name, _read(name, ".sh"), _read(name, ".py")) for name in names}


def _read(name: str, suffix: str) -> str:
    path = FOLDER / f"{name}{suffix}"
    if not path.exists():
        return ""
    return path.read_text().replace("@BASE@", settings.BASE_URL.rstrip("/")).strip()
