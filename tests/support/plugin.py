"""Gives every test run services of its own, before Django reads its settings.

The first process of a run starts one PostgreSQL that forgets durability for speed; each process
of the run, the workers of pytest-xdist too, gets its own database there and its own Valkey. All of
it lies in one temporary folder and ends with the process that started it.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from polysim.bootstrap.postgres import EmbeddedPostgres
from polysim.bootstrap.processes import Process, stop_all
from polysim.bootstrap.valkey import EmbeddedValkey

FOLDER_VARIABLE = "POLYSIM_TEST_FOLDER"
STOP_SECONDS_MAX = 10


def worker_name() -> str:
    """`main` without pytest-xdist, else the worker's name (`gw0`, ...)."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


def run_folder() -> Path:
    """The temporary folder of this run, shared by all its workers."""
    return Path(os.environ[FOLDER_VARIABLE])


def administration_url() -> str:
    """The run's PostgreSQL, at the database from which others are made and dropped."""
    return f"postgresql://polysim@/postgres?host={run_folder() / 'postgres'}"


def database_name() -> str:
    """The database that this process's tests write to."""
    return f"test_{worker_name()}"


def _start_services() -> list[Process]:
    processes = []
    if worker_name() == "main":
        folder = Path(tempfile.mkdtemp(prefix="polysim-tests-"))
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        os.environ[FOLDER_VARIABLE] = str(folder)
        postgres = EmbeddedPostgres(
            data_directory=folder / "data",
            socket_directory=folder,
            log_path=folder / "postgres.log",
            fast=True,
        )
        processes.append(postgres.start())
    own_folder = run_folder() / worker_name()
    for folder in (own_folder, own_folder / "mail", own_folder / "static"):
        folder.mkdir(mode=0o700)
    valkey = EmbeddedValkey(socket_directory=own_folder, log_path=own_folder / "valkey.log")
    processes.append(valkey.start())
    socket_folder = run_folder() / "postgres"
    os.environ.update(
        {
            "DATABASE_URL": f"postgresql://polysim@/{database_name()}?host={socket_folder}",
            "REDIS_URL": valkey.url,
            "POLYSIM_STATE_DIR": str(own_folder),
            "POLYSIM_SECRET_KEY": "a key that protects nothing, as tests keep nothing secret",
            "POLYSIM_PRODUCTION": "false",
            "POLYSIM_BASE_URL": "http://localhost:8000",
            "POLYSIM_STATIC_STORAGE": ("django.contrib.staticfiles.storage.StaticFilesStorage"),
            "POLYMARKET_FEED_MODE": "demo",
        }
    )
    return processes


def _stop_services(processes: list[Process], owner_id: int) -> None:
    if os.getpid() != owner_id:
        return  # a child forked by a test ends; the run goes on
    stop_all(processes, STOP_SECONDS_MAX)
    if worker_name() == "main":
        shutil.rmtree(run_folder(), ignore_errors=True)


def pytest_report_header() -> str:
    return f"services: own PostgreSQL and Valkey in {run_folder()}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the running stack can be chosen or left out by the marker `stack`."""
    for item in items:
        if "live_server_processes" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stack)


atexit.register(_stop_services, _start_services(), os.getpid())
