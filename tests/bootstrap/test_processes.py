"""Children never outlive their parent, and leave their last words in the log."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polysim.bootstrap.processes import Process, memory_bytes, process_tree, stop_all


def make(tmp_path: Path, code: str, **options: object) -> Process:
    return Process(
        name="child",
        command=[sys.executable, "-c", code],
        environment=dict(os.environ),
        log_path=tmp_path / "child.log",
        **options,  # type: ignore[arg-type]
    )


def wait_for(condition: object, seconds_max: float = 10) -> None:
    deadline = time.monotonic() + seconds_max
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def is_gone(process_id: int) -> bool:
    """Ended, or a zombie that nobody has asked about yet."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_keeps_the_last_lines_of_the_log(tmp_path: Path) -> None:
    process = make(tmp_path, "for i in range(50): print('line', i)\nraise SystemExit(3)")
    process.start()
    wait_for(lambda: process.exit_code() is not None)
    assert process.exit_code() == 3
    assert process.log_tail(lines=2) == "line 48\nline 49"


def test_stops_a_process_that_ignores_the_request(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True)\n"
    process = make(tmp_path, code + "time.sleep(60)")
    process.start()
    wait_for(lambda: process.log_tail() == "on")
    stop_all([process], seconds_max=0.3)
    assert process.exit_code() == -signal.SIGKILL


def test_stopping_takes_grandchildren_along(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(p.pid, flush=True)\n"
    )
    process = make(tmp_path, code + "time.sleep(60)")
    process.start()
    wait_for(lambda: process.log_tail().isdigit())
    grandchild = int(process.log_tail())
    assert process.popen is not None
    assert process_tree(process.popen.pid) == [process.popen.pid, grandchild]
    stop_all([process], seconds_max=5)
    wait_for(lambda: is_gone(grandchild))


@pytest.mark.parametrize("death_signal", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_parent_takes_its_children_along(
    tmp_path: Path, death_signal: signal.Signals
) -> None:
    code = f"""
import sys, time
from pathlib import Path
from polysim.bootstrap.processes import Process
child = Process("c", [sys.executable, "-c", "import time; time.sleep(60)"], {{}},
                Path({str(tmp_path / "c.log")!r}), death_signal={int(death_signal)})
child.start()
print(child.popen.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child_id = int(parent.stdout.readline())
    assert not is_gone(child_id)
    parent.kill()
    parent.wait()
    wait_for(lambda: is_gone(child_id))


def test_starts_a_new_log_once_the_old_one_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polysim.bootstrap.processes.LOG_SIZE_BYTES_MAX", 10)
    (tmp_path / "child.log").write_text("something longer than that\n")
    process = make(tmp_path, "print('new')")
    process.start()
    wait_for(lambda: process.exit_code() == 0)
    assert (tmp_path / "child.log").read_text() == "new\n"
    assert (tmp_path / "child.log.1").read_text() == "something longer than that\n"


def test_knows_the_memory_of_a_process() -> None:
    resident, proportional = memory_bytes(os.getpid())
    assert resident > 10_000_000
    assert 0 < proportional <= resident
    assert memory_bytes(2**22 + 1) == (0, 0)
