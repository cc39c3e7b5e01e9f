"""The tokens of operators' HTTP: what each is good for, what the file may look like, and what becomes of one that changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture
from twisted.internet.task import Clock

from ocpp_tw.core.security import Operator
from ocpp_tw.operators.roles import Role, needed, needed_for
from ocpp_tw.operators.tokens import CHECK_INTERVAL, MAX_FILE, MAX_TOKENS, Tokens, new_token, parse
from ocpp_tw.settings import InvalidSetting
from operators_site import Site

SHA = hashlib.sha256(b"a token").hexdigest()
OTHER = hashlib.sha256(b"another").hexdigest()


# roles


class Door:
    """A site with a token of each role, and the unnamed one."""

    def __init__(self, directory: Path) -> None:
        made = {role.name: new_token(f"{role.name}-er", role) for role in Role}
        file = directory / "tokens"
        file.write_text("# who may come in\n\n" + "\n".join(line for _, line in made.values()))
        file.chmod(0o600)
        self.tokens = {name: token for name, (token, _) in made.items()} | {"unnamed": "s3cret"}
        self.site = Site("s3cret", tokens=str(file))
        self.site.services.result = {"outcome": "result", "payload": {"status": "Accepted"}}

    async def request(self, token: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return await self.site.request(method, path, body, authorization=f"Bearer {self.tokens[token]}")


@async_yield_fixture
async def door(tmp_path) -> AsyncIterator[Door]:
    made = Door(tmp_path)
    yield made
    await made.site.close()


ASKED = [
    ("GET", "/api/chargers", None, "read"),
    ("GET", "/api/violations", None, "read"),
    ("POST", "/command", {}, "command"),
    ("POST", "/command/", {}, "command"),
    ("PUT", "/api/chargers/cp1", {"version": "1.6"}, "admin"),
]


@pytest.mark.parametrize(("method", "path", "body", "role"), ASKED)
@pytest.mark.parametrize("token", ["read", "command", "admin", "unnamed"])
async def test_a_token_is_good_for_what_its_role_may_do(door, token, method, path, body, role):
    status, answer = await door.request(token, method, path, body)
    if token == "unnamed" or Role[token] >= Role[role]:
        assert status == 200
    else:
        assert (status, answer) == (
            403,
            {"detail": f"This needs a token with the role {role}, and the role of {token}-er is {token}"},
        )
        assert (door.site.services.asked, door.site.gateway.decisions.made) == ([], [])


CREDENTIALS = [("rotate_password", {}), ("set_security_profile", {"security_profile": 2})]


@pytest.mark.parametrize(("command", "data"), CREDENTIALS)
@pytest.mark.parametrize("path", ["/command", "/command/", "/command/?x=1"])
@pytest.mark.parametrize("token", ["read", "command", "admin", "unnamed"])
async def test_a_command_that_changes_credentials_needs_an_admin_wherever_it_is_sent(door, token, path, command, data):
    status, answer = await door.request(token, "POST", path, {"cp_id": "cp1", "command": command, "data": data})
    if token in ("admin", "unnamed"):
        assert status == 200 and len(door.site.services.asked) == 1
    else:
        what, role = (command, "admin") if token == "command" else ("This", "command")
        why = f"{what} needs a token with the role {role}, and the role of {token}-er is {token}"
        assert (status, answer, door.site.services.asked) == (403, {"detail": why}, [])


@pytest.mark.parametrize(
    "body",
    [
        b'{"command":"x","cp_id":"cp1","command":"rotate_password"}',
        b'{"cp_id":"cp1","command":"rotate\\u005fpassword"}',
        b' {"CpID":"cp1","data":{},"command":"rotate_password","id":7}',
    ],
)
async def test_it_does_however_it_is_spelled(door, body):
    assert (await door.request("command", "POST", "/command/", body))[0] == 403 and door.site.services.asked == []


@pytest.mark.parametrize(
    "body", [{"cp_id": "cp1", "command": "reset"}, {"cp_id": "rotate_password", "command": "x"}, b"rotate_password", b"", b"[]"]
)
async def test_what_only_mentions_such_a_command_does_not(door, body):
    assert (await door.request("command", "POST", "/command/", body))[0] == 200 and len(door.site.services.asked) == 1


async def test_such_a_try_is_a_line_in_the_log(door, said):
    await door.request("command", "POST", "/command/", {"cp_id": "cp1", "command": "rotate_password"})
    assert [each for each in said if "beyond the role" in each and "command-er" in each]


async def test_who_tries_what_the_role_does_not_allow_is_a_line_in_the_log(tmp_path, said):
    door = Door(tmp_path)
    for _ in range(3):
        await door.request("read", "PUT", "/api/chargers/cp1", {"version": "1.6"})
    line = "operators' HTTP: {} requests beyond the role of their token, the last by read-er from 127.0.0.1"
    assert [each for each in said if "beyond" in each] == [line.format(1)]
    await door.site.close()
    assert [each for each in said if "beyond" in each] == [line.format(1), line.format(2)]


@pytest.mark.parametrize("method", ["DELETE", "POST", "PATCH", "OPTIONS"])
async def test_what_changes_something_needs_an_admin_whether_or_not_there_is_such_a_route(door, method):
    assert (await door.request("command", method, "/api/chargers/cp1"))[0] == 403
    assert (await door.request("admin", method, "/api/chargers/cp1"))[0] in (404, 405)


@pytest.mark.parametrize("path", [b"/command//", b"/%63ommand", b"/api/command", b"/commands", b"/", b"//command/"])
def test_a_path_that_only_looks_like_the_commands_needs_an_admin(path):
    assert needed(b"POST", path) == Role.admin


async def test_health_needs_no_token(door):
    for token in (None, "wrong", door.tokens["read"]):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        assert (await door.site.request("GET", "/healthz", **headers))[0] == 200


async def test_a_digest_is_no_token(door):
    """Whoever has read the file comes in with nothing that is in it."""
    shown = hashlib.sha256(door.tokens["admin"].encode()).hexdigest()
    assert (await door.site.request("GET", "/api/chargers", authorization=f"Bearer {shown}"))[0] == 401


async def test_a_client_cannot_say_who_it_is(door):
    headers = {"authorization": f"Bearer {door.tokens['command']}", "x-operator": "root", "x-operator-address": "192.0.2.1"}
    assert (await door.site.request("POST", "/command/", {}, **headers))[0] == 200
    assert door.site.services.operators == [Operator("command-er", "127.0.0.1")]


async def test_who_decides_is_told_with_the_names_of_what_is_decided_and_no_values(door):
    assert (await door.request("admin", "PUT", "/api/chargers/cp1", {"version": "1.6", "boot_status": None}))[0] == 200
    assert (await door.request("unnamed", "PUT", "/api/chargers/cp2", {"retry_interval": 60}))[0] == 200
    assert (await door.request("unnamed", "PUT", "/api/chargers/cp2", {"retry_interval": "x"}))[0] == 400
    assert door.site.services.told == [
        ("decision", Operator("admin-er", "127.0.0.1"), "cp1", "version, boot_status, registered"),
        ("decision", Operator("", "127.0.0.1"), "cp2", "retry_interval, registered"),
    ]


async def test_without_any_token_nobody_has_a_name():
    site = Site()
    site.services.result = {"outcome": "result", "payload": {}}
    assert (await site.request("POST", "/command/", {}, authorization="Bearer x"))[0] == 200
    assert site.services.operators == [Operator("", "127.0.0.1")]
    await site.close()


async def test_a_file_without_tokens_lets_nobody_in(tmp_path):
    (tmp_path / "tokens").write_text("# nobody yet\n")
    site = Site(tokens=str(tmp_path / "tokens"))
    for headers in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer x"}):
        assert (await site.request("GET", "/api/chargers", **headers))[0] == 401
    await site.close()


# the file


def fault(text: str) -> str:
    with pytest.raises(InvalidSetting) as caught:
        parse(text.encode(), "/etc/tokens")
    return str(caught.value)


def test_a_token_that_is_replaced_has_two_lines_for_a_while():
    first, second = parse(f"alice read {SHA}\n\n  # new:\r\n\talice   admin {OTHER.upper()} \n".encode(), "f")
    assert (first.name, first.role, second.role) == ("alice", Role.read, Role.admin)
    assert second.digest.hex() == OTHER


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("alice read", "it must have three words, NAME ROLE SHA256, and has 2"),
        (f"alice read {SHA} x", "it must have three words, NAME ROLE SHA256, and has 4"),
        (f"alice root {SHA}", "the role must be one of metrics, read, command, admin"),
        (f"alice __class__ {SHA}", "the role must be one of"),
        (f"al:ce read {SHA}", "the name must be 1 to 64 letters"),
        (f"{'a' * 65} read {SHA}", "the name must be 1 to 64 letters"),
        ("alice read s3cret-t0ken", "the third word must be the token's SHA-256"),
        (f"alice read {SHA}0", "the third word must be the token's SHA-256"),
        ("\udcff".encode(errors="surrogateescape").decode("latin-1"), "three words"),
        (f"bob admin {SHA}", "it has the same token as line 1"),
    ],
)
def test_a_wrong_line_is_told_by_its_number_and_with_no_word_of_it(line, said):
    text = fault(f"eve read {SHA}\n{line}\n")
    assert text.startswith("--http-tokens: in /etc/tokens, line 2: ") and said in text
    assert "s3cret" not in text and "root" not in text and SHA not in text


def test_of_many_wrong_lines_the_first_are_told():
    text = fault("x\n" * 100)
    assert text.count("three words") == 5 and text.endswith("; and 95 more")


def test_a_file_that_is_far_too_long_is_refused():
    assert "longer than" in fault("#" * (MAX_FILE + 1))
    assert "more than 1000 tokens" in fault("".join(f"a read {number:064x}\n" for number in range(MAX_TOKENS + 1)))


def test_a_new_token_has_the_line_that_lets_it_in():
    token, line = new_token("alice", Role.command)
    assert token not in line and len(token) >= 43 and new_token("alice", Role.command)[0] != token
    (parsed,) = parse(line.encode(), "f")
    assert (parsed.name, parsed.role, parsed.digest) == ("alice", Role.command, hashlib.sha256(token.encode()).digest())


# changes


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"alice read {SHA}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def watched(file) -> Any:
    """The tokens of the file, and their clock."""
    clock = Clock()
    tokens = Tokens("", str(file), clock)
    tokens.start()
    yield tokens, clock
    tokens.stop()
    assert clock.getDelayedCalls() == []


def test_a_file_that_has_changed_is_read_again(watched, file):
    tokens, clock = watched
    file.write_text(f"alice read {SHA}\nbob admin {OTHER}\n")
    assert tokens.find(b"another") is None
    clock.advance(CHECK_INTERVAL)
    assert tokens.find(b"another").name == "bob"
    file.write_text("")
    clock.advance(CHECK_INTERVAL)
    assert tokens.find(b"another") is None and tokens.find(b"a token") is None and tokens.required


def test_at_once_when_asked_to(watched, file):
    tokens, _ = watched
    file.write_text(f"bob admin {OTHER}\n")
    tokens.reload()
    assert tokens.find(b"another") and not tokens.find(b"a token")


@pytest.mark.parametrize("spoil", [lambda file: file.write_text(f"bob admin {OTHER}\nalice reed {SHA}\n"), lambda file: file.unlink()])
def test_the_tokens_in_use_stay_when_the_file_has_become_unusable(watched, file, said, spoil):
    tokens, clock = watched
    spoil(file)
    clock.advance(CHECK_INTERVAL)
    assert tokens.find(b"a token").name == "alice" and tokens.find(b"another") is None
    clock.pump([CHECK_INTERVAL] * 3)
    (line,) = [each for each in said if "stay" in each]
    assert line.startswith("tokens not reloaded, those in use stay: --http-tokens: ") and (
        "line 2: the role" in line or "cannot be read" in line
    )


@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o640, 0), (0o644, 1), (0o660, 1), (0o606, 1)])
def test_others_that_can_read_or_change_the_file_are_one_warning(file, said, mode, warned):
    file.chmod(mode)
    tokens = Tokens("", str(file), Clock())
    tokens.reload()
    assert len([each for each in said if "chmod 600" in each]) == warned


def test_a_start_with_an_unusable_file_is_refused(tmp_path):
    with pytest.raises(InvalidSetting, match=r"--http-tokens: .*missing cannot be read: No such file"):
        Tokens("", str(tmp_path / "missing"), Clock())
    with pytest.raises(InvalidSetting, match="cannot be read: Is a directory"):
        Tokens("", str(tmp_path), Clock())


def test_the_line_in_the_log_names_who_has_tokens_and_no_digest(file, said: list[str]):
    Tokens("s3cret", str(file), Clock())
    assert said == ["tokens of operators' HTTP: 1 in the file, of alice"]


@pytest.mark.parametrize(
    "body",
    [
        {"command": {"command": "rotate_password", "data": {}}, "filter": {}},
        {"command": {"command": "set_security_profile", "data": {"security_profile": 2}}, "chargers": ["cp1"]},
    ],
)
def test_what_changes_credentials_needs_an_admin_for_many_chargers_as_for_one(body):
    """With the same member twice the last one counts, as where the batch is read."""
    assert needed_for(b"/api/batches", json.dumps(body).encode())[0] == Role.admin
    twice = b'{"command": {"command": "reset", "command": %b}}' % json.dumps(body["command"]["command"]).encode()
    assert needed_for(b"/api/batches", twice)[0] == Role.admin


def test_a_batch_of_another_command_needs_no_admin():
    assert needed_for(b"/api/batches", b'{"command": {"command": "reset"}, "filter": {}}')[0] == Role.command
