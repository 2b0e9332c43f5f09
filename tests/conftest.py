"""Fixtures for all tests: databases with three buildings, Valkey, recordings, the running stack."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase

from tests.support import chromium, stack
from tests.support.databases import Baseline, drop_worker_database, make_worker_database
from tests.support.plugin import run_folder, worker_name

PROJECT_DIRECTORY = Path(__file__).resolve().parents[1]
RECORDINGS_DEFAULT = PROJECT_DIRECTORY.parent / "shared" / "data" / "polymarket"


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    """This worker's database: public tables, the retail building, the firms alpha and beta."""
    with django_db_blocker.unblock():
        make_worker_database()
        baseline = Baseline()
    # Django's own flush empties public tables that the buildings refer to, which PostgreSQL
    # refuses; one TRUNCATE over all schemas takes its place.
    former = TransactionTestCase._fixture_teardown
    TransactionTestCase._fixture_teardown = lambda self: baseline.restore()
    yield
    TransactionTestCase._fixture_teardown = former
    with django_db_blocker.unblock():
        drop_worker_database()


@pytest.fixture(autouse=True)
def _nothing_left_over() -> Iterator[None]:
    """Every test starts in `public`, with an empty Valkey and nothing remembered of others."""
    _forget()
    yield
    connection.set_schema_to_public()
    _forget()


def _forget() -> None:
    """Empty this worker's Valkey and the memories of this process."""
    from django.contrib.contenttypes.models import ContentType
    from django.contrib.sites.models import Site

    from polysim.kernel.redis import get_redis
    from tenants.lookups import clear_lookups

    get_redis().flushall()
    clear_lookups()
    ContentType.objects.clear_cache()
    Site.objects.clear_cache()
    connection.set_schema_to_public()


@pytest.fixture
def fresh_connections(transactional_db: None) -> Iterator[None]:
    """For tests that break connections: those after it get none of the broken ones."""
    yield
    connection.close()
    connection.close_pool()


def _firm(slug: str) -> Any:
    from tenants.models import Firm

    return Firm.objects.get(slug=slug)


@pytest.fixture
def retail(db: None) -> Any:
    """The built-in retail tenant."""
    return _firm("retail")


@pytest.fixture
def alpha(db: None) -> Any:
    """The prop firm at alpha.localhost."""
    return _firm("alpha")


@pytest.fixture
def beta(db: None) -> Any:
    """The prop firm at beta.localhost."""
    return _firm("beta")


@pytest.fixture
def in_building(db: None) -> Callable[[str], AbstractContextManager[None]]:
    """Enter a building for a block: `with in_building("alpha"): ...`."""
    from polysim.kernel.tenancy import enter_building

    return enter_building


@pytest.fixture
def in_retail(retail: Any) -> Iterator[Any]:
    """The whole test runs in the retail building."""
    yield from _inside(retail)


@pytest.fixture
def in_alpha(alpha: Any) -> Iterator[Any]:
    """The whole test runs in alpha's building."""
    yield from _inside(alpha)


@pytest.fixture
def in_beta(beta: Any) -> Iterator[Any]:
    """The whole test runs in beta's building."""
    yield from _inside(beta)


def _inside(firm: Any) -> Iterator[Any]:
    from polysim.kernel.tenancy import enter_building

    with enter_building(firm.schema_name):
        yield firm


@pytest.fixture
def redis_client() -> Any:
    """This worker's Valkey, empty at the start of each test."""
    from polysim.kernel.redis import get_redis

    return get_redis()


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of the venue's recordings (POLYSIM_RECORDINGS_DIR)."""
    folder = Path(os.environ.get("POLYSIM_RECORDINGS_DIR", str(RECORDINGS_DEFAULT)))
    if not (folder / "README.md").exists():
        pytest.skip(f"the venue's recordings are not here ({folder}); see POLYSIM_RECORDINGS_DIR")
    return folder


@pytest.fixture
def mail_folder() -> Path:
    """Where this worker's mails are written (Django's file back end)."""
    return Path(settings.EMAIL_FILE_PATH)


@pytest.fixture(scope="session")
def live_server_processes() -> Iterator[stack.Stack]:
    """The real thing: all processes of quickstart in demo mode with data of their own."""
    running = stack.start(run_folder() / f"{worker_name()}-stack")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; host names below .localhost and .local lead to this machine.

    One per module, as Playwright occupies the thread's event loop while it runs.
    """
    yield from chromium.launch()


@pytest.fixture
def page(browser: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A fresh page in a desktop window; script errors and failed requests fail the test."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    yield from chromium.open_page(browser, width=1280, height=900)


@pytest.fixture
def phone_page(browser: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A fresh page as wide as a phone."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    yield from chromium.open_page(browser, width=390, height=844)
