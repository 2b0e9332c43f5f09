"""What is installed, and what a start still has to fetch."""

from pathlib import Path

import pytest

from polysim.bootstrap import environment, frontend
from polysim.bootstrap.children import application_processes
from polysim.bootstrap.feed import Feed
from polysim.bootstrap.memory import memory_report
from polysim.bootstrap.paths import PROJECT_DIRECTORY


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with two requirement files and an environment that looks made."""
    (tmp_path / "requirements.txt").write_text("# what it runs on\npytest==0.0.1\n")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\nruff==0.0.1\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    monkeypatch.setattr(environment, "PROJECT_DIRECTORY", tmp_path)
    monkeypatch.setattr(environment, "VENV_DIRECTORY", tmp_path / ".venv")
    return tmp_path


def mark_installed(project: Path, *names: str) -> None:
    lines = [environment._fingerprint(name) for name in names]
    (project / ".venv" / ".installed").write_text("\n".join(lines) + "\n")


def test_an_unmarked_environment_is_not_installed(project: Path) -> None:
    assert environment._is_installed(environment.RUNTIME_FILES) is False


def test_the_mark_names_each_file_with_its_content(project: Path) -> None:
    mark_installed(project, "requirements.txt")
    assert environment._is_installed(environment.RUNTIME_FILES) is True
    assert environment._is_installed(environment.DEVELOPMENT_FILES) is False
    (project / "requirements.txt").write_text("pytest==0.0.2\n")
    assert environment._is_installed(environment.RUNTIME_FILES) is False


def test_another_environment_serves_only_with_every_pin(project: Path) -> None:
    assert environment._all_pins_present(environment.RUNTIME_FILES) is False
    (project / "requirements.txt").write_text(f"pytest=={pytest.__version__}\n")
    assert environment._all_pins_present(environment.RUNTIME_FILES) is True


def test_every_requirement_is_pinned() -> None:
    for name in environment.DEVELOPMENT_FILES:
        for line in (PROJECT_DIRECTORY / name).read_text().splitlines():
            assert not line or line.startswith(("#", "-r ")) or "==" in line, line


def test_the_lock_file_names_no_registry() -> None:
    assert "http" not in (PROJECT_DIRECTORY / "package-lock.json").read_text()


def test_a_failed_download_is_a_reason_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "npm"
    program.write_text("#!/bin/sh\necho 'no network today' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(frontend, "MARKER", tmp_path / ".installed")
    assert frontend.install_frontend(development=False) == "no network today"
    assert not (tmp_path / ".installed").exists()


def commands_of(feed: Feed, tmp_path: Path) -> dict[str, str]:
    processes = application_processes({}, tmp_path, port=8000, feed=feed)
    return {process.name: " ".join(process.command) for process in processes}


def test_a_stand_in_venue_runs_only_where_it_is_needed(tmp_path: Path) -> None:
    live = commands_of(Feed("live", {}, None), tmp_path)
    assert list(live) == ["web", "stream_prices", "match_orders", "worker", "evaluator"]
    replay = commands_of(Feed("replay", {}, 20_001), tmp_path)
    assert "run_venue --port 20001 --mode replay" in replay["run_venue"]


def test_the_worker_listens_to_all_queues(tmp_path: Path) -> None:
    commands = commands_of(Feed("live", {}, None), tmp_path)
    assert "--queues feed,default,mail,jobs,payouts,webhooks" in commands["worker"]
    assert "--pool solo --concurrency 1 --queues evaluator" in commands["evaluator"]


def test_memory_is_summed_at_the_end() -> None:
    lines = memory_report([]).splitlines()
    assert lines[1].split()[0] == "quickstart"
    assert lines[-2].split()[:2] == ["all", "together"]
    proportional = int(lines[-2].split()[3])
    assert 5 < proportional <= int(lines[-2].split()[2])
    assert lines[-1].startswith(f"All processes hold {proportional} MB of memory")
