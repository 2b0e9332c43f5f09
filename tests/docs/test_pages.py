"""The guide for partners: every page, its links, and the quickstart run as printed."""

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from polysim.docs.reference import read_reference
from polysim.docs.views import PAGES
from tests.support.stack import Stack

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _plain_files(settings: Any) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.mark.parametrize("slug", [page.slug for page in PAGES])
def test_every_page_reads_and_names_itself(slug: str) -> None:
    path = "/docs/" if slug == "quickstart" else f"/docs/{slug}/"
    answer = Client().get(path)
    assert answer.status_code == 200
    assert 'aria-current="page"' in answer.content.decode()
    assert "@BASE@" not in answer.content.decode()


def test_an_unknown_page_is_not_there() -> None:
    assert Client().get("/docs/nothing/").status_code == 404


def test_the_guide_stands_on_firms_hosts_too() -> None:
    assert Client().get("/docs/", headers={"host": "alpha.localhost"}).status_code == 200


def test_the_reference_names_all_nine_endpoints_of_the_contract() -> None:
    named = {
        (endpoint.method, re.sub(r"\{[^}]*\}", "{}", endpoint.path))
        for section in read_reference()
        for endpoint in section.endpoints
    }
    partner = "/v1/partner"
    assert {
        ("POST", f"{partner}/users"),
        ("GET", f"{partner}/users/{{}}"),
        ("POST", f"{partner}/users/{{}}/login-link"),
        ("POST", f"{partner}/accounts"),
        ("GET", f"{partner}/accounts/{{}}"),
        ("GET", f"{partner}/accounts/{{}}/trades"),
        ("PATCH", f"{partner}/accounts/{{}}"),
        ("POST", f"{partner}/accounts/{{}}/close"),
        ("POST", f"{partner}/accounts/{{}}/reset"),
    } <= named


def printed(stack: Stack, language: str) -> str:
    """The quickstart's code, one block after another, as the page shows it."""
    import httpx

    page = httpx.get(f"{stack.base_url}/docs/").text
    blocks = re.findall(rf'<pre class="{language}"[^>]*><code>(.*?)</code>', page, re.DOTALL)
    assert len(blocks) == 4
    return "\n\n".join(html.unescape(block) for block in blocks)


def run(command: list[str], text: str, stack: Stack, folder: Path) -> str:
    environment = {**os.environ, "POLYSIM_KEY": stack.demo["firms"][0]["partner_key"]}
    done = subprocess.run(
        command,
        input=text,
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.stack
def test_the_quickstart_runs_as_printed(live_server_processes: Stack, tmp_path: Path) -> None:
    shell = run(
        ["bash", "-e"], printed(live_server_processes, "curl"), live_server_processes, tmp_path
    )
    trader = json.loads((tmp_path / "trader.json").read_text())
    account = json.loads((tmp_path / "account.json").read_text())
    assert (trader["external_id"], trader["created"]) == ("nw-0093", True)
    assert account["equity"] == "25000.00"
    assert '"status":"accepted"' in shell
    # Run again in Python everything is there already: the same trader, the same account.
    python = run(
        [sys.executable, "-"],
        printed(live_server_processes, "python"),
        live_server_processes,
        tmp_path,
    )
    assert f"'user_id': {trader['user_id']}" in python
    assert "25000.00" in python
