"""The running product for tests: `manage.py quickstart` with a state folder of its own."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polysim.bootstrap.feed import free_port
from polysim.bootstrap.paths import PROJECT_DIRECTORY
from polysim.bootstrap.processes import die_with_parent

READY_SECONDS_MAX = 240
STOP_SECONDS_MAX = 40
# What belongs to the test run itself and would lead the stack to its services.
OWN_VARIABLES = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")


@dataclass
class Stack:
    """A started installation: its address, its state folder and its demo logins."""

    base_url: str
    port: int
    state: Path
    demo: dict[str, Any]
    process: subprocess.Popen[bytes]

    def environment(self) -> dict[str, str]:
        """For `python manage.py ...` against this installation."""
        return environment_for(self.state)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a Django command against this installation."""
        command = [sys.executable, str(PROJECT_DIRECTORY / "manage.py"), *arguments]
        return subprocess.run(
            command,
            env=self.environment(),
            cwd=PROJECT_DIRECTORY,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def log(self, name: str) -> str:
        """The log of one process."""
        return (self.state / "logs" / f"{name}.log").read_text(errors="replace")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def environment_for(state: Path, **more: str) -> dict[str, str]:
    """This process's environment without the test run's own services and settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in OWN_VARIABLES and not name.startswith(("POLYSIM_", "POLYMARKET_", "PYTEST_"))
    }
    return kept | {"POLYSIM_STATE_DIR": str(state), "POLYMARKET_FEED_MODE": "demo"} | more


def start(state: Path, **more: str) -> Stack:
    """Start it and wait until it says that it is ready; `more` adds environment variables."""
    state.mkdir(mode=0o700, parents=True)
    port = free_port()
    output = state / "output.log"
    with open(output, "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "quickstart", "--port", str(port)],
            env=environment_for(state, **more),
            cwd=PROJECT_DIRECTORY,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(9),
        )
    deadline = time.monotonic() + READY_SECONDS_MAX
    while not (state / "demo.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"quickstart did not get ready:\n{output.read_text()[-6000:]}")
        time.sleep(0.2)
    demo = json.loads((state / "demo.json").read_text())
    return Stack(f"http://localhost:{port}", port, state, demo, process)
