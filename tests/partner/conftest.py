"""Servers of the firms alpha and beta."""

from typing import Any

import pytest

from tests.support.door import FirmServer


@pytest.fixture
def server(alpha: Any) -> FirmServer:
    """Alpha's server, whose key may do everything."""
    return FirmServer(alpha)


@pytest.fixture
def beta_server(beta: Any) -> FirmServer:
    """Beta's server."""
    return FirmServer(beta)
