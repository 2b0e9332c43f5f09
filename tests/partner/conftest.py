"""Servers of the firms alpha and beta, and mails that are sent at once."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core import mail

from polysim.celery import app
from tests.support.door import FirmServer

LINK = re.compile(r"http://localhost:8000(/link/[A-Za-z0-9_-]{43}/)")


@pytest.fixture
def server(alpha: Any) -> FirmServer:
    """Alpha's server, whose key may do everything."""
    return FirmServer(alpha)


@pytest.fixture
def beta_server(beta: Any) -> FirmServer:
    """Beta's server."""
    return FirmServer(beta)


@pytest.fixture
def plain_files(settings: Any) -> None:
    """Pages name their files as they are, without a manifest."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def eager() -> Iterator[None]:
    """Jobs run where they are asked for."""
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


@pytest.fixture
def ask_for_link(
    eager: None, django_capture_on_commit_callbacks: Any
) -> Callable[..., tuple[Any, str]]:
    """Ask for a login link: the answer, and the path in the newest mail ("" without a link)."""

    def ask(server: FirmServer, user_id: int, **body: Any) -> tuple[Any, str]:
        mail.outbox.clear()
        with django_capture_on_commit_callbacks(execute=True):
            answer = server.post(f"users/{user_id}/login-link", body)
        found = LINK.search(str(mail.outbox[-1].body)) if mail.outbox else None
        return answer, found.group(1) if found else ""

    return ask
