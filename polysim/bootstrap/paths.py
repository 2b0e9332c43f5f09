"""Where an installation keeps its things."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

PROJECT_DIRECTORY = Path(__file__).resolve().parents[2]
VENV_DIRECTORY = PROJECT_DIRECTORY / ".venv"


class BootstrapError(Exception):
    """A reason, in words for the person at the terminal, why Polysim cannot go on."""


def state_directory() -> Path:
    """Run-time state of this installation: `.polysim/`, or POLYSIM_STATE_DIR."""
    chosen = os.environ.get("POLYSIM_STATE_DIR", "")
    return Path(chosen).resolve() if chosen else PROJECT_DIRECTORY / ".polysim"


def make_state_directory(state: Path) -> None:
    """Create the state folder with its parts; raises BootstrapError if it belongs to another user.

    As root it stays passable (not readable) for others, because PostgreSQL runs as `nobody`.
    """
    as_root = os.geteuid() == 0
    for folder in (state, state / "data", state / "logs", state / "mail"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except PermissionError as error:
            raise BootstrapError(f"{folder} cannot be created: {error.strerror}.") from error
    owner_id = state.stat().st_uid
    if owner_id != os.geteuid():
        raise BootstrapError(
            f"{state} belongs to user id {owner_id}, this is user id {os.geteuid()}. Start Polysim "
            "as that user, remove the folder, or name another one in POLYSIM_STATE_DIR."
        )
    for folder in (state, state / "data"):
        folder.chmod(0o711 if as_root else 0o700)
    for folder in (state / "logs", state / "mail"):
        folder.chmod(0o700)


def socket_directory(state: Path) -> Path:
    """A short folder for Unix sockets, whose paths may have about 107 bytes.

    It lies in the temporary directory, named after the user and the state folder, and is refused
    if somebody else made it.
    """
    digest = hashlib.sha256(str(state).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"polysim-{os.geteuid()}-{digest}"
    folder.mkdir(mode=0o711, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise BootstrapError(f"{folder} exists already and belongs to somebody else; remove it.")
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    return folder


def write_private_text(path: Path, text: str) -> None:
    """Replace a file that only its owner may read, never leaving half of it behind."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
