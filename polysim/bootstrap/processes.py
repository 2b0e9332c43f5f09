"""Child processes that never outlive their parent."""

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
UNPRIVILEGED_USER = "nobody"
LOG_SIZE_BYTES_MAX = 20_000_000

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(death_signal: int) -> Callable[[], None]:
    """A function for `preexec_fn`: the kernel sends `death_signal` when the parent dies.

    It must run after the change of user, which clears the request; subprocess does so.
    """
    parent_id = os.getpid()

    def request_signal() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent_id:  # the parent died before the request was made
            os._exit(1)

    return request_signal


def run_helper(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """`subprocess.run` for a short helper that is killed if this process vanishes.

    Never raises for a non-zero exit code; the caller reads it.
    """
    return subprocess.run(
        list(command), check=False, preexec_fn=die_with_parent(signal.SIGKILL), **options
    )


def unprivileged_ids() -> tuple[int, int] | None:
    """User and group id for programs that refuse root; None when this is not root anyway."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(UNPRIVILEGED_USER)
    return entry.pw_uid, entry.pw_gid


def can_unprivileged_access(path: Path, *, executable: bool = False) -> bool:
    """Whether the user from `unprivileged_ids` reaches the path through all its parents."""
    ids = unprivileged_ids()
    if ids is None:
        return True
    command = ["/usr/bin/env", "test", "-x" if executable else "-e", str(path)]
    result = run_helper(command, user=ids[0], group=ids[1], extra_groups=[], cwd="/")
    return result.returncode == 0


@dataclass
class Process:
    """One child with its own session, log file and way to die.

    `death_signal` is what the kernel sends when the parent vanishes: SIGKILL for Polysim's own
    processes, as they may lose their state at any moment; the services name a gentler one.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log_path: Path
    working_directory: str = "/"
    death_signal: int = signal.SIGKILL
    stop_signal: int = signal.SIGTERM
    user_ids: tuple[int, int] | None = None
    popen: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Start the program; its output is appended to the log file."""
        self._shorten_log()
        identity: dict[str, Any] = {}
        if self.user_ids is not None:
            identity = {"user": self.user_ids[0], "group": self.user_ids[1], "extra_groups": []}
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                list(self.command),
                env=dict(self.environment),
                cwd=self.working_directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(self.death_signal),
                **identity,
            )
        self.started_at = time.monotonic()

    def exit_code(self) -> int | None:
        """None while it runs (or was never started), else its exit code."""
        return None if self.popen is None else self.popen.poll()

    @property
    def is_running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def request_stop(self) -> None:
        if self.is_running and self.popen is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.popen.pid, self.stop_signal)

    def wait_stopped(self, seconds_max: float) -> None:
        """Wait for the end; afterwards whatever is left of the process group is killed."""
        if self.popen is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(timeout=max(seconds_max, 0.01))
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def log_tail(self, lines: int = 30) -> str:
        """The last lines of the log, to be shown when the process fails."""
        if not self.log_path.exists():
            return ""
        with open(self.log_path, "rb") as log:
            log.seek(max(0, self.log_path.stat().st_size - 20_000))
            text = log.read().decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _shorten_log(self) -> None:
        """Keep one older log once it has grown large; the files are otherwise appended to."""
        with contextlib.suppress(FileNotFoundError):
            if self.log_path.stat().st_size > LOG_SIZE_BYTES_MAX:
                self.log_path.replace(self.log_path.with_suffix(".log.1"))


def stop_all(processes: Sequence[Process], seconds_max: float) -> None:
    """Ask all to stop at once, give them a common time, then kill the rest."""
    for process in processes:
        process.request_stop()
    deadline = time.monotonic() + seconds_max
    for process in processes:
        process.wait_stopped(deadline - time.monotonic())


def process_tree(root_id: int) -> list[int]:
    """The process and all its descendants, from /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            after_name = (entry / "stat").read_text().rpartition(")")[2].split()
            children.setdefault(int(after_name[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [root_id]
    while waiting:
        current = waiting.pop()
        found.append(current)
        waiting.extend(children.get(current, []))
    return found


def memory_bytes(process_id: int) -> tuple[int, int]:
    """(resident, proportional) size of one process; (0, 0) if it is gone or not readable.

    The proportional size divides pages shared by several processes among them, so that sums are
    true; the resident size counts such a page once for each process.
    """
    sizes = {"Rss": 0, "Pss": 0}
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in sizes:
                sizes[name] = int(rest.split()[0]) * 1024
    return sizes["Rss"], sizes["Pss"]
