"""A gateway in its own process, started as in the README, with a real Valkey."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from event_schemas import schema_faults
from event_tables import EventTables
from fleets import Valkey
from gateway_process import Process


@pytest.fixture
def start(clean: Valkey, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts gateways; they end with the test, whose events must be as docs/contract.md and their JSON Schemas have them."""
    started: list[Process] = []

    def begin(*options: str, redis: str = clean.url, **more: Any) -> Process:
        directory = tmp_path / str(len(started))
        directory.mkdir()
        started.append(Process(directory, redis, *options, **more))
        return started[-1]

    yield begin
    for each in started:
        each.close()
    with suppress(OSError):  # the test has ended the server
        contract = EventTables()
        faults = {fault for event in clean("LRANGE", "events", 0, -1) for fault in contract.faults(event) + schema_faults(event)}
        assert not faults, faults


@pytest.fixture
def gateway(start: Callable[..., Process]) -> Process:
    """One gateway without options."""
    return start()


@pytest.fixture
def events(clean: Valkey) -> Callable[[], list[dict[str, Any]]]:
    """Returns all events published so far."""
    return lambda: [json.loads(each) for each in clean("LRANGE", "events", 0, -1)]


@pytest.fixture
def short_leases(tmp_path, request) -> dict[str, str]:
    """The environment of a gateway with short leases, so that takeovers happen soon."""
    (tmp_path / "sitecustomize.py").write_text(
        "from ocpp_tw.gateway import orphans as look\n"
        "from ocpp_tw.redis import lease, orphans\n"
        "lease.LEASE_TTL, lease.RENEW_INTERVAL, lease.TAKEOVER_AFTER, lease.TAKEOVER_INTERVAL = 1, 0.2, 2.0, 0.3\n"
        "look.INTERVAL, orphans.SETTLED_AFTER, orphans.RETURN_WITHIN = 0.2, 0.5, 3.0\n"
    )
    root = request.config.rootpath
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(root)])}
