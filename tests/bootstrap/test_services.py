"""Embedded services: made once, found again, owned by one process at a time."""

import json
import stat
from pathlib import Path

import psycopg
import pytest
import redis

from polysim.bootstrap.paths import BootstrapError, make_state_directory
from polysim.bootstrap.services import (
    ServiceLock,
    installation_environment,
    services_for_command,
)
from tests.support.plugin import run_folder


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state folder, without the services of this test run."""
    for name in ("DATABASE_URL", "REDIS_URL", "POLYSIM_SECRET_KEY", "POLYSIM_STATE_DIR"):
        monkeypatch.delenv(name)
    folder = run_folder() / f"state-{tmp_path.name}-{tmp_path.parent.name}"
    make_state_directory(folder)
    return folder


def test_data_is_found_again_by_the_next_command(state: Path) -> None:
    with services_for_command(state) as environment:
        with psycopg.connect(environment["DATABASE_URL"]) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 650000 AS price")
        redis.Redis.from_url(environment["REDIS_URL"]).set("seen", "yes")
        assert (state / "run.json").exists()
    assert not (state / "run.json").exists()
    with services_for_command(state) as environment:
        with psycopg.connect(environment["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT price, version() FROM kept").fetchone()[0] == 650000
        # Valkey holds only what can be rebuilt, so it keeps nothing.
        assert redis.Redis.from_url(environment["REDIS_URL"]).get("seen") is None


def test_a_second_command_uses_the_running_services(state: Path) -> None:
    with services_for_command(state) as first, services_for_command(state) as second:
        assert second["DATABASE_URL"] == first["DATABASE_URL"]
        assert second["REDIS_URL"] == first["REDIS_URL"]


def test_given_addresses_start_nothing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/else")
    monkeypatch.setenv("REDIS_URL", "redis://somewhere")
    with services_for_command(state) as environment:
        assert environment["DATABASE_URL"] == "postgresql://somewhere/else"
    assert list((state / "data").iterdir()) == []


def test_the_lock_has_one_holder(state: Path) -> None:
    first, second = ServiceLock(state), ServiceLock(state)
    assert first.acquire() is True
    assert second.acquire() is False
    first.release()
    assert second.acquire() is True
    second.release()


def test_secrets_are_random_kept_and_private(state: Path) -> None:
    key = installation_environment(state)["POLYSIM_SECRET_KEY"]
    assert len(key) >= 64
    assert installation_environment(state)["POLYSIM_SECRET_KEY"] == key
    path = state / "secrets.json"
    assert json.loads(path.read_text())["POLYSIM_SECRET_KEY"] == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_given_secret_wins(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYSIM_SECRET_KEY", "chosen")
    assert installation_environment(state)["POLYSIM_SECRET_KEY"] == "chosen"


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((BootstrapError, NotADirectoryError)):
        make_state_directory(tmp_path / "file" / "state")
