"""Advisories, secret in a log: none of a live session is in anything that the gateway writes, events, log, spool, results, HTTP answers, Redis."""

from __future__ import annotations

import asyncio
import json
import secrets
import urllib.error
import urllib.request
from base64 import b64encode
from typing import Any

import pytest
import websockets

from certificates import Made
from clients import eventually
from ocpp_tw.operators.roles import Role
from ocpp_tw.operators.tokens import new_token

pytestmark = pytest.mark.live

KEY, PASSWORD, NEW, TOKEN, DATA = (secrets.token_hex(20) for _ in range(5))
PEM = Made("charger").key.decode()
BASIC = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
NETWORK = {
    "ocppVersion": "OCPP20", "ocppTransport": "JSON", "ocppCsmsUrl": "wss://csms.example.com", "messageTimeout": 30, "securityProfile": 2,
    "ocppInterface": "Wired0", "basicAuthPassword": NEW, "apn": {"apn": "a", "apnAuthentication": "AUTO", "apnPassword": NEW},
}  # fmt: skip
COMMANDS: dict[str, list[tuple[str, Any, Any]]] = {
    "1.6": [
        ("ChangeConfiguration", {"key": "AuthorizationKey", "value": NEW}, {"status": "Accepted"}),
        ("GetConfiguration", {}, {"configurationKey": [{"key": "authorizationKey", "readonly": False, "value": KEY}], "unknownKey": []}),
        ("DataTransfer", {"vendorId": "a", "data": PEM}, {"status": "Accepted", "data": json.dumps({"AuthorizationKey": DATA})}),
    ],
    "2.0.1": [
        ("SetVariables", {"setVariableData": [{"attributeValue": NEW, **BASIC}]}, {"setVariableResult": [{"attributeStatus": "Accepted", **BASIC}]}),
        (
            "GetVariables",
            {"getVariableData": [BASIC]},
            {"getVariableResult": [{"attributeStatus": "Accepted", "attributeValue": KEY, **BASIC}]},
        ),
        ("SetNetworkProfile", {"configurationSlot": 1, "connectionData": NETWORK}, {"status": "Accepted"}),
    ],
}  # fmt: skip
REPORT = {
    "requestId": 1,
    "generatedAt": "2026-11-22T10:00:00Z",
    "seqNo": 0,
    "reportData": [{**BASIC, "variableAttribute": [{"value": KEY, "mutability": "ReadWrite"}]}],
}
CALLS: dict[str, list[tuple[str, Any]]] = {
    "1.6": [
        ("DataTransfer", {"vendorId": "a", "data": PEM}),
        ("Keys", {"AuthorizationKey": KEY}),
        ("StatusNotification", {"connectorId": 1, "errorCode": "OtherError", "status": "Faulted", "info": f"password={DATA}"}),
        ("SignCertificate", {"csr": PEM}),
    ],
    "2.0.1": [
        (
            "SecurityEventNotification",
            {"type": "a", "timestamp": "2026-11-22T10:00:00Z", "techInfo": f"secret: {DATA}, Authorization: Basic {KEY}"},
        ),
        ("SignCertificate", {"csr": PEM}),
        ("NotifyReport", REPORT),
        ("DataTransfer", {"vendorId": "a", "data": {"privateKey": PEM, "password": DATA}}),
    ],
}


async def serve(line: Any, answers: dict[str, Any], answered: asyncio.Queue[Any]) -> None:
    async for text in line:
        kind, id, *rest = json.loads(text)
        if kind == 2:
            await line.send(json.dumps([3, id, answers.get(rest[0], {"status": "Rejected"})]))
        else:
            answered.put_nowait(rest)


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
@pytest.mark.parametrize("password", [PASSWORD, "wrong" + PASSWORD], ids=["right", "wrong"])
def test_no_secret_of_a_session_is_written_down(start, clean, tmp_path, events, version, password):
    token, line = new_token("alice", Role.admin)
    (tmp_path / "tokens").write_text(line)
    gateway = start("--security-profile", "1", "--http-tokens", str(tmp_path / "tokens"), "--http-token", TOKEN)
    heard: list[str] = []
    tasks: list[asyncio.Task[None]] = []

    def ask(method: str, path: str, body: Any = None, shown: str = token) -> int:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{gateway.http}{path}", data, {"authorization": f"Bearer {shown}"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                heard.append(answer.read().decode())
                return int(answer.status)
        except urllib.error.HTTPError as answer:
            heard.append(answer.read().decode())
            return int(answer.code)

    async def session() -> None:
        header = "Basic " + b64encode(f"cp1:{password}".encode()).decode()
        heard_not.append(header[6:])
        url, options = (
            f"ws://127.0.0.1:{gateway.port}/cp1",
            {"subprotocols": [f"ocpp{version}"], "additional_headers": {"Authorization": header}},
        )
        if password != PASSWORD:
            with pytest.raises(websockets.InvalidStatus):
                await websockets.connect(url, **options)
            return
        async with websockets.connect(url, **options) as wire:
            answered: asyncio.Queue[Any] = asyncio.Queue()
            tasks.append(asyncio.create_task(serve(wire, {action: answer for action, _, answer in COMMANDS[version]}, answered)))
            for number, (action, payload, _) in enumerate(COMMANDS[version]):
                element = {"CpID": "cp1", "data": [2, f"c{number}", action, payload]}
                clean("RPUSH", "commands", json.dumps({**element, "reply_to": "mine"}))
                await eventually(lambda number=number: len(results(events)) == 2 * number + 1)
                element["data"][1] = f"h{number}"
                neutral = {
                    "cp_id": "cp1",
                    "command": "change_configuration",
                    "data": {"key": "AuthorizationKey", "value": NEW},
                    "id": f"h{number}",
                }
                await asyncio.to_thread(ask, "POST", "/command/", neutral if version == "1.6" and number == 0 else element)
            for action, payload in CALLS[version]:
                await wire.send(json.dumps([2, action, action, payload]))
                await asyncio.wait_for(answered.get(), 60)
            for kind in ([3, KEY, {}], [4, KEY, "InternalError", "", {}]):
                await wire.send(json.dumps(kind))
            await wire.send(f'[2,"x","DataTransfer",{{"AuthorizationKey":"{KEY}"')
            await asyncio.wait_for(answered.get(), 60)
            assert tasks[0].cancel()

    heard_not = [KEY, PASSWORD, NEW, TOKEN, DATA, token, PEM.splitlines()[1], PEM.splitlines()[2]]
    assert ask("PUT", "/api/chargers/cp1", {"password": PASSWORD}) == 200
    assert ask("PUT", "/api/chargers/cp2", {"password": PASSWORD[:15]}) == 400
    assert ask("GET", "/api/chargers", shown=KEY) == 401
    assert ask("GET", "/api/chargers", shown=TOKEN) == 200
    asyncio.run(session())
    for path in ("/api/chargers", "/api/chargers/cp1", "/api/registered", "/api/violations", "/readyz"):
        ask("GET", path)
    for path in ("overview", "fleet/chargers", "fleet/chargers/cp1", "transactions", "commands", "troubles"):
        assert ask("GET", f"/api/{path}") == 200
    assert gateway.stop() == 0
    told = [json.dumps(events()), gateway.log.read_text(), *heard, *map(str, stored(clean))]
    told += [each.read_bytes().decode("latin-1") for each in gateway.directory.rglob("*") if each.is_file()]
    assert "Traceback" not in gateway.log.read_text()
    assert not [secret for secret in heard_not if any(secret in each for each in told)]


def results(events: Any) -> list[Any]:
    return [each for each in events() if each["event"] == "command_result"]


def stored(server: Any) -> list[Any]:
    """All that is in Redis."""
    readers = {
        "string": ("GET",), "list": ("LRANGE", 0, -1), "hash": ("HGETALL",), "zset": ("ZRANGE", 0, -1), "set": ("SMEMBERS",),
        "stream": ("XRANGE", "-", "+"),
    }  # fmt: skip
    found = []
    for key in server("KEYS", "*"):
        command, *rest = readers[server("TYPE", key).decode() if isinstance(server("TYPE", key), bytes) else str(server("TYPE", key))]
        found.append(server(command, key, *rest))
    return found
