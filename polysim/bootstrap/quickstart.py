"""`manage.py quickstart`: from an empty machine, or from yesterday's data, to running pages."""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from polysim.bootstrap.children import application_processes
from polysim.bootstrap.feed import Feed, choose_feed, port_is_free
from polysim.bootstrap.frontend import install_frontend
from polysim.bootstrap.memory import memory_report
from polysim.bootstrap.paths import (
    PROJECT_DIRECTORY,
    BootstrapError,
    make_state_directory,
    state_directory,
)
from polysim.bootstrap.processes import Process, stop_all
from polysim.bootstrap.services import (
    ServiceLock,
    Services,
    installation_environment,
    remove_record,
    write_record,
)
from polysim.bootstrap.supervisor import Supervisor

READY_SECONDS_MAX = 150
PREPARE_SECONDS_MAX = 600
STOP_SECONDS_MAX = 8
PORT_WAIT_SECONDS_MAX = 3
SETTLE_SECONDS = 2
HISTORY_WAIT_SECONDS = 600
DEMO_FILE, DEMO_PENDING = "demo.json", "demo.json.pending"


class StopRequested(BaseException):
    """Ctrl-C or a signal to end: everything is stopped in order."""


def run_quickstart(arguments: list[str]) -> int:
    """Start everything and stay until Ctrl-C; returns the exit code, raises BootstrapError."""
    options = _parse(arguments)
    state = state_directory()
    make_state_directory(state)
    lock = ServiceLock(state)
    if not lock.acquire():
        raise BootstrapError(
            f"Polysim already runs in this folder (process {lock.holder()}); stop it first."
        )
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _request_stop)
    installation = _Installation(state, options)
    try:
        return installation.run()
    except StopRequested:
        return 0 if not options.check else 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        installation.stop()
        lock.release()


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py quickstart")
    parser.add_argument("--port", type=int, default=8000, help="port of the pages (8000)")
    parser.add_argument(
        "--check", action="store_true", help="end with exit code 0 after the first good answers"
    )
    parser.add_argument("--fresh", action="store_true", help="start from empty data")
    options = parser.parse_args(arguments)
    if not 1 <= options.port <= 65_535:
        parser.error("--port must be between 1 and 65535")
    return options


def _request_stop(number: int, frame: FrameType | None) -> None:
    raise StopRequested


class _Installation:
    """One run of quickstart, step by step."""

    def __init__(self, state: Path, options: argparse.Namespace) -> None:
        self.state = state
        self.options = options
        self.base_url = f"http://localhost:{options.port}"
        self.environment: dict[str, str] = {}
        self.services: Services | None = None
        self.children: list[Process] = []
        self.helpers: list[Process] = []
        self.started_at = time.monotonic()

    def run(self) -> int:
        self._require_free_port()
        self._withdraw_demo()
        if self.options.fresh:
            self._forget_data()
        self._start_services()
        feed = self._choose_feed()
        self.children = application_processes(
            self.environment, self.state / "logs", port=self.options.port, feed=feed
        )
        early = [child for child in self.children if child.name == "run_venue"]
        for child in early:  # it needs no database, and answers by the time that others ask
            child.start()
        self._install_frontend()
        self._prepare()
        for child in self.children:
            if child not in early:
                child.start()
        assert self.services is not None
        supervisor = Supervisor([*self.services.processes, *self.children], self._say)
        self._wait_until_ready(supervisor)
        self._publish_demo()
        self._announce(feed)
        if self.options.check:
            return 0
        self._start_demo_history()
        while True:
            supervisor.check()
            time.sleep(0.25)

    def stop(self) -> None:
        """Stop the application first, then the services under it."""
        stop_all([*self.helpers, *self.children], STOP_SECONDS_MAX)
        remove_record(self.state)
        if self.services is not None:
            self.services.stop()

    def _say(self, text: str) -> None:
        moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        with open(self.state / "logs" / "quickstart.log", "a") as log:
            log.write(f"{moment} {text}\n")
        with contextlib.suppress(OSError):  # nobody reads any more: the log goes on
            print(text, flush=True)

    def _require_free_port(self) -> None:
        """A stopped predecessor may hold the port for a moment, a stranger holds it longer."""
        deadline = time.monotonic() + PORT_WAIT_SECONDS_MAX
        while not port_is_free(self.options.port):
            if time.monotonic() > deadline:
                raise BootstrapError(
                    f"Port {self.options.port} is taken by another program; "
                    f"choose another one: python3 manage.py quickstart --port {_next(self.options)}"
                )
            time.sleep(0.2)

    def _forget_data(self) -> None:
        if os.environ.get("DATABASE_URL"):
            raise BootstrapError(
                "--fresh empties only the embedded database, not the one of DATABASE_URL."
            )
        cluster = self.state / "data" / "postgres"
        if cluster.is_symlink():
            shutil.rmtree(cluster.resolve(), ignore_errors=True)
        for folder in ("data", "mail", "static"):
            path = self.state / folder
            if path.exists():
                shutil.rmtree(path)
        for name in (DEMO_PENDING, "secrets.json"):
            (self.state / name).unlink(missing_ok=True)
        make_state_directory(self.state)

    def _start_services(self) -> None:
        self.environment = installation_environment(self.state)
        self.environment["POLYSIM_BASE_URL"] = self.base_url
        self.services = Services(self.state, self.environment)
        self.services.start()

    def _choose_feed(self) -> Feed:
        feed = choose_feed(self.environment)
        self.environment.update(feed.environment)
        write_record(self.state, self.environment)
        self._say(f"Prices: {feed.mode}.")
        return feed

    def _install_frontend(self) -> None:
        reason = install_frontend(development=False)
        if reason is not None:
            self._say(
                "The chart package could not be fetched; pages show their plain charts. "
                f"Reason: {reason}"
            )

    def _prepare(self) -> None:
        """Migrations, demo data and static files, in one helper process."""
        self._say("Preparing the database ...")
        self._run_helper("prepare", [self.base_url, DEMO_PENDING], PREPARE_SECONDS_MAX)

    def _run_helper(self, module: str, arguments: list[str], seconds_max: float) -> None:
        helper = self._start_helper(module, arguments)
        deadline = time.monotonic() + seconds_max
        while helper.exit_code() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        self._require_success(helper)

    def _start_helper(self, module: str, arguments: list[str]) -> Process:
        helper = Process(
            name=module,
            command=[sys.executable, "-m", f"polysim.bootstrap.{module}", *arguments],
            # Preparing is repeated after a crash, so its commits need not wait for the disk.
            environment={"PGOPTIONS": "-c synchronous_commit=off", **self.environment},
            log_path=self.state / "logs" / f"{module}.log",
            working_directory=str(PROJECT_DIRECTORY),
        )
        helper.start()
        self.helpers.append(helper)
        return helper

    def _require_success(self, helper: Process) -> None:
        code = helper.exit_code()
        if code != 0:
            outcome = "took too long" if code is None else f"failed with exit code {code}"
            raise BootstrapError(
                f"{helper.name} {outcome}; {helper.log_path} ends with:\n{helper.log_tail()}"
            )

    def _wait_until_ready(self, supervisor: Supervisor) -> None:
        """Wait for a page, a price tick and an answer of a database function."""
        probe = self._start_helper("probe", [str(READY_SECONDS_MAX)])
        deadline = time.monotonic() + READY_SECONDS_MAX
        page_answered = False
        while not (page_answered and probe.exit_code() is not None):
            died = supervisor.check()
            if died and self.options.check:
                self._fail_for(died[0])
            if time.monotonic() > deadline:
                missing = "a price tick" if page_answered else "a page"
                self._fail_waiting(missing)
            page_answered = page_answered or self._page_answers()
            time.sleep(0.25)
        self._require_success(probe)

    def _fail_for(self, process: Process) -> None:
        raise BootstrapError(
            f"{process.name} ended with exit code {process.exit_code()}; "
            f"{process.log_path} ends with:\n{process.log_tail()}"
        )

    def _fail_waiting(self, missing: str) -> None:
        name = "web" if missing == "a page" else "stream_prices"
        tail = "\n".join(child.log_tail() for child in self.children if child.name == name)
        raise BootstrapError(
            f"{missing} did not come within {READY_SECONDS_MAX} s; {name}.log ends with:\n{tail}"
        )

    def _page_answers(self) -> bool:
        url = f"http://127.0.0.1:{self.options.port}/"
        request = urllib.request.Request(url, headers={"Host": f"localhost:{self.options.port}"})
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError):
            return False

    def _start_demo_history(self) -> None:
        """Challenges with some days behind them, made beside the running product; nice to it."""
        if self.environment.get("POLYMARKET_FEED_MODE") == "off":
            return
        seed = ["seed_challenges", "--wait", str(HISTORY_WAIT_SECONDS)]
        helper = Process(
            name="seed_challenges",
            command=["nice", sys.executable, str(PROJECT_DIRECTORY / "manage.py"), *seed],
            environment={"CELERY_SKIP_CHECKS": "1", **self.environment},
            log_path=self.state / "logs" / "seed_challenges.log",
            working_directory=str(PROJECT_DIRECTORY),
        )
        helper.start()
        self.helpers.append(helper)

    def _withdraw_demo(self) -> None:
        """demo.json tells that Polysim is ready, so it waits under another name until then."""
        demo = self.state / DEMO_FILE
        if demo.exists():
            demo.replace(self.state / DEMO_PENDING)

    def _publish_demo(self) -> None:
        (self.state / DEMO_PENDING).replace(self.state / DEMO_FILE)

    def _announce(self, feed: Feed) -> None:
        self._say(f"Polysim is ready after {time.monotonic() - self.started_at:.1f} s.")
        self._say(f"\n  Pages      {self.base_url}/")
        self._say(f"  Admin      {self.base_url}/admin/")
        self._print_demo()
        sources = {
            "live": "the venue's live prices",
            "demo": "synthetic prices of a stand-in venue",
            "replay": "a recording, played by a stand-in venue",
            "off": "no prices",
        }
        self._say(f"  Feed       {feed.mode}: {sources[feed.mode]}")
        self._say(f"  Logs       {self.state / 'logs'}")
        if self.options.check:
            time.sleep(SETTLE_SECONDS)
        assert self.services is not None
        everything = [*self.services.processes, *self.children]
        self._say("\n" + memory_report(everything))
        if not self.options.check:
            self._say("\nCtrl-C stops everything.")

    def _print_demo(self) -> None:
        """Logins go to the terminal only, not into the log."""
        try:
            demo = json.loads((self.state / DEMO_FILE).read_text())
        except (OSError, json.JSONDecodeError):
            return
        firms = demo.get("firms", [])
        lines = [f"  {firm['name']:<10} http://{firm['host']}/" for firm in firms]
        for role in ("trader", "admin"):
            login = demo.get(role) or {}
            lines.append(f"  {role:<10} {login.get('email')}  password {login.get('password')}")
        lines.append(f"  All demo logins and keys: {self.state / DEMO_FILE}")
        with contextlib.suppress(OSError):
            print("\n".join(lines), flush=True)


def _next(options: argparse.Namespace) -> int:
    """Another port to propose."""
    port: int = options.port
    return port + 1 if port < 65_535 else 8000
