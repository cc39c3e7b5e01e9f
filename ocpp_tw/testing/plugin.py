"""Fixtures of pytest for the tests of a backend: a gateway process with a Valkey, and chargers (docs/extending.md, Testing).

Imported by every run of pytest where ocpp_tw is installed, so it imports nothing else until a fixture is used, and starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .charger import ScriptedCharger
    from .gateway import GatewayProcess
    from .valkey import ValkeyProcess


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers", "ocpp_gateway(**settings): settings of the gateway that the fixture ocpp_gateway starts for this test"
    )


@pytest.fixture(scope="session")
def ocpp_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyProcess]:
    """A Valkey for the whole session, emptied by each gateway that is started over it."""
    from .valkey import ValkeyProcess

    server = ValkeyProcess(tmp_path_factory.mktemp("ocpp-valkey"))
    yield server
    server.close()


@pytest.fixture
def ocpp_gateway_settings() -> dict[str, Any]:
    """Settings of the gateway in all tests: override it in conftest.py, for example to return ``{"base_url": live_server.url}``."""
    return {}


@pytest.fixture
def ocpp_gateway(
    request: pytest.FixtureRequest,
    ocpp_valkey: ValkeyProcess,
    ocpp_gateway_settings: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[GatewayProcess]:
    """A gateway process of the test's own; its settings are those of `ocpp_gateway_settings`, and above them those of markers ``ocpp_gateway``."""
    from .gateway import GatewayProcess

    settings = dict(ocpp_gateway_settings)
    for mark in reversed(list(request.node.iter_markers("ocpp_gateway"))):  # the closest one last
        settings |= mark.kwargs
    gateway = GatewayProcess(tmp_path_factory.mktemp("ocpp-gateway"), ocpp_valkey, settings)
    yield gateway
    gateway.close()


@pytest.fixture
def ocpp_charger(ocpp_gateway: GatewayProcess) -> Iterator[Callable[..., ScriptedCharger]]:
    """Makes chargers: ``ocpp_charger("charger-1", ocpp="2.0.1")`` is connected and has booted; with ``connect=False`` it does neither.

    They are disconnected after the test.
    """
    from .charger import ScriptedCharger

    with ExitStack() as ending:

        def make(id: str = "charger-1", ocpp: str = "1.6", *, connect: bool = True, **more: Any) -> ScriptedCharger:
            charger = ScriptedCharger(ocpp_gateway.url, id, ocpp, **more)
            ending.callback(charger.disconnect)
            if connect:
                charger.connect()
                charger.boot()
            return charger

        yield make
