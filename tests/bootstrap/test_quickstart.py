"""`manage.py quickstart` for real: all processes, demo data, restarts, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from polysim.bootstrap.feed import free_port
from polysim.bootstrap.paths import PROJECT_DIRECTORY
from polysim.bootstrap.processes import process_tree
from tests.support import stack
from tests.support.plugin import run_folder
from tests.support.stack import Stack, environment_for

PROCESSES = (
    "web",
    "run_venue",
    "stream_prices",
    "match_orders",
    "worker",
    "evaluator",
    "postgres",
)


def page(running: Stack, path: str = "/", host: str = "localhost") -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.port}{path}", headers={"Host": f"{host}:{running.port}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)


def process_ids(running: Stack, part_of_command: str) -> list[int]:
    found = []
    for process_id in process_tree(running.process.pid):
        command = Path(f"/proc/{process_id}/cmdline")
        if command.exists() and part_of_command in command.read_text().replace("\0", " "):
            found.append(process_id)
    return found


def wait_until(condition: object, seconds_max: float = 30) -> None:
    deadline = time.monotonic() + seconds_max
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_answers_a_page_and_knows_its_firms(live_server_processes: Stack) -> None:
    assert page(live_server_processes) == 200
    demo = live_server_processes.demo
    assert demo["base_url"] == live_server_processes.base_url
    assert [firm["slug"] for firm in demo["firms"]] == ["alpha", "beta"]
    assert {"email", "password"} <= set(demo["trader"])
    assert {"email", "password"} <= set(demo["admin"])


def test_every_process_writes_its_own_log(live_server_processes: Stack) -> None:
    for name in PROCESSES:
        assert (live_server_processes.state / "logs" / f"{name}.log").exists()


def test_a_command_finds_the_running_services(live_server_processes: Stack) -> None:
    code = "from tenants.models import Firm; print(sorted(f.slug for f in Firm.objects.all()))"
    result = live_server_processes.manage("shell", "-c", code)
    assert "['alpha', 'beta', 'retail']" in result.stdout, result.stderr


def test_a_second_start_in_the_same_folder_says_so(live_server_processes: Stack) -> None:
    result = live_server_processes.manage("quickstart", "--port", str(free_port()))
    assert result.returncode == 1
    assert "Polysim already runs in this folder" in result.stderr


def test_a_killed_process_is_started_again(live_server_processes: Stack) -> None:
    before = process_ids(live_server_processes, "match_orders")
    assert len(before) == 1
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: process_ids(live_server_processes, "match_orders") not in ([], before))
    assert "match_orders ended with exit code -9" in live_server_processes.log("quickstart")


@pytest.fixture
def own_stack() -> Iterator[Stack]:
    """An installation that the test may destroy."""
    running = stack.start(run_folder() / f"own-stack-{time.monotonic_ns()}")
    yield running
    running.process.kill()
    running.process.wait()


@pytest.mark.stack
@pytest.mark.slow
def test_killing_quickstart_leaves_no_process_and_the_next_start_finds_its_data(
    own_stack: Stack,
) -> None:
    family = process_tree(own_stack.process.pid)
    assert len(family) > len(PROCESSES)
    own_stack.process.kill()
    own_stack.process.wait()
    wait_until(lambda: not [pid for pid in family if Path(f"/proc/{pid}").exists()], 10)
    started = time.monotonic()
    check = subprocess.run(
        [sys.executable, "manage.py", "quickstart", "--check", "--port", str(free_port())],
        env=environment_for(own_stack.state),
        cwd=PROJECT_DIRECTORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert check.returncode == 0, check.stdout + check.stderr
    assert "Memory (MB)" in check.stdout
    assert own_stack.demo["trader"]["password"] in check.stdout
    assert time.monotonic() - started < 60


def test_a_port_in_use_is_named(live_server_processes: Stack) -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "quickstart", "--port", str(live_server_processes.port)],
        env=environment_for(run_folder() / "never-started"),
        cwd=PROJECT_DIRECTORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert f"Port {live_server_processes.port} is taken by another program" in result.stderr
