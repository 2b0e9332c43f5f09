"""PostgreSQL and Valkey of one installation, and the environment that Django's settings read.

Whoever starts the embedded services holds a lock on the state folder and writes down where they
are; other commands of the same installation find them there.
"""

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from polysim.bootstrap.paths import (
    BootstrapError,
    make_state_directory,
    socket_directory,
    write_private_text,
)
from polysim.bootstrap.postgres import STOP_SECONDS_MAX, EmbeddedPostgres
from polysim.bootstrap.processes import Process, stop_all
from polysim.bootstrap.valkey import EmbeddedValkey

RECORD_NAME = "run.json"
RECORD_WAIT_SECONDS_MAX = 45


class ServiceLock:
    """The lock of a state folder; freed by the kernel when its holder dies, however it dies."""

    def __init__(self, state: Path) -> None:
        self._path = state / "services.lock"
        self._file: IO[str] | None = None

    def acquire(self) -> bool:
        """True if this process now owns the installation's services."""
        file = open(self._path, "a+")  # noqa: SIM115 - held open for as long as the lock
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file
        return True

    def holder(self) -> str:
        """The process id that the holder wrote down."""
        return self._path.read_text().strip() if self._path.exists() else "unknown"

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def installation_environment(state: Path) -> dict[str, str]:
    """This process's environment plus what belongs to the installation: secrets and folders.

    The secrets are made once, at random, and kept in `secrets.json`, readable by the owner alone.
    """
    path = state / "secrets.json"
    if not path.exists():
        made = {"POLYSIM_SECRET_KEY": secrets.token_urlsafe(64)}
        write_private_text(path, json.dumps(made, indent=2) + "\n")
    stored: dict[str, str] = json.loads(path.read_text())
    defaults = stored | {
        "POLYSIM_STATE_DIR": str(state),
        "DJANGO_SETTINGS_MODULE": "polysim.settings",
        "POLYSIM_PRODUCTION": "false",
    }
    return defaults | dict(os.environ)


class Services:
    """The services of an installation: embedded ones where no URL is given."""

    def __init__(self, state: Path, environment: dict[str, str]) -> None:
        self.sockets = socket_directory(state)
        self.environment = environment
        self.postgres: EmbeddedPostgres | None = None
        self.valkey: EmbeddedValkey | None = None
        self.processes: list[Process] = []
        if not environment.get("DATABASE_URL"):
            self.postgres = EmbeddedPostgres(
                data_directory=state / "data" / "postgres",
                socket_directory=self.sockets,
                log_path=state / "logs" / "postgres.log",
            )
        if not environment.get("REDIS_URL"):
            self.valkey = EmbeddedValkey(
                socket_directory=self.sockets, log_path=state / "logs" / "valkey.log"
            )

    def start(self) -> None:
        """Start what is missing and add the URLs to the environment; raises BootstrapError."""
        if self.postgres is not None:
            self.processes.append(self.postgres.start())
            self.environment["DATABASE_URL"] = self.postgres.url
        if self.valkey is not None:
            self.processes.append(self.valkey.start())
            self.environment["REDIS_URL"] = self.valkey.url

    def stop(self) -> None:
        """Stop them and remove their sockets' folder; copied programs stay for the next start."""
        stop_all(self.processes, STOP_SECONDS_MAX)
        for folder in (self.sockets / "postgres", self.sockets):
            with contextlib.suppress(OSError):
                folder.rmdir()


def write_record(state: Path, environment: dict[str, str]) -> None:
    """Tell other commands of this installation what the running processes were given."""
    names = ("DATABASE_URL", "REDIS_URL", "POLYSIM_BASE_URL")
    shared = {
        name: value
        for name, value in environment.items()
        if name in names or name.startswith("POLYMARKET_")
    }
    record = {"process_id": os.getpid(), "environment": shared}
    write_private_text(state / RECORD_NAME, json.dumps(record, indent=2) + "\n")


def remove_record(state: Path) -> None:
    (state / RECORD_NAME).unlink(missing_ok=True)


@contextmanager
def services_for_command(state: Path) -> Iterator[dict[str, str]]:
    """The environment of a Django command: running services are used, else started for it alone.

    Raises BootstrapError when they cannot be started or found.
    """
    make_state_directory(state)
    environment = installation_environment(state)
    if environment.get("DATABASE_URL") and environment.get("REDIS_URL"):
        yield environment
        return
    lock = ServiceLock(state)
    deadline = time.monotonic() + RECORD_WAIT_SECONDS_MAX
    while not lock.acquire():
        found = _read_record(state, lock)
        if found is not None:
            yield found | environment
            return
        if time.monotonic() > deadline:
            raise BootstrapError(f"Process {lock.holder()} starts Polysim, but does not get ready.")
        time.sleep(0.1)
    services = Services(state, environment)
    try:
        services.start()
        write_record(state, environment)
        yield environment
    finally:
        remove_record(state)
        services.stop()
        lock.release()


def _read_record(state: Path, lock: ServiceLock) -> dict[str, str] | None:
    try:
        record = json.loads((state / RECORD_NAME).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if str(record["process_id"]) != lock.holder():
        return None  # left behind by an earlier holder; the present one is not ready yet
    environment: dict[str, str] = record["environment"]
    return environment
