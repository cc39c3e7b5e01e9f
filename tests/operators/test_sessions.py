"""Browsers that have shown a token: the cookie that stands for it, for how long, and what it is not good for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture
from twisted.internet import reactor
from twisted.internet.task import Clock

from ocpp_tw.operators.failed_logins import FailedLogin
from ocpp_tw.operators.guard import Guard
from ocpp_tw.operators.guesses import BURST
from ocpp_tw.operators.roles import Role
from ocpp_tw.operators.sessions import LIFE, MAX_OF_ONE, MAX_SESSIONS, NAME, SECURE_NAME, Sessions
from ocpp_tw.operators.tokens import Token, Tokens, new_token
from openapi_answers import check_headers
from operators_site import Site

COMMAND = {"cp_id": "cp1", "command": "reset", "data": {}}


class Door:
    """A site with a token of each role, which browsers visit."""

    def __init__(self, directory: Any, tls: bool = False) -> None:
        made = {role.name: new_token(f"{role.name}-er", role) for role in Role}
        self.file = directory / "tokens"
        self.lines = {name: line for name, (_, line) in made.items()}
        self.file.write_text("\n".join(self.lines.values()))
        self.file.chmod(0o600)
        self.tokens = {name: token for name, (token, _) in made.items()}
        self.clock = Clock()
        self.failed: list[FailedLogin] = []
        self.known = Tokens("", str(self.file), reactor)
        self.site = Site(guard=Guard(self.known, self.clock, tls=tls, failed=self.failed.append))
        self.site.services.result = {"outcome": "result", "payload": {"status": "Accepted"}}
        self.host = f"127.0.0.1:{self.site.port.getHost().port}"

    async def log_in(self, token: str, **headers: str) -> str:
        """The cookie that the browser sends from then on."""
        status, _ = await self.site.request("POST", "/api/session", authorization=f"Bearer {self.tokens[token]}", **headers)
        assert status == 200
        check_headers("/api/session", 200, self.sent(), "post")
        [header] = self.site.headers.getRawHeaders("set-cookie")
        self.header = header
        return header.partition(";")[0]

    def sent(self) -> list[str]:
        """The names of the latest answer's headers."""
        return [name.decode() for name, _ in self.site.headers.getAllRawHeaders()]

    async def send(self, cookie: str, **headers: str) -> tuple[int, Any]:
        return await self.site.request("POST", "/command/", COMMAND, cookie=cookie, **headers)


@async_yield_fixture
async def door(tmp_path) -> AsyncIterator[Door]:
    made = Door(tmp_path)
    yield made
    await made.site.close()


async def test_a_token_is_exchanged_for_a_cookie_that_no_script_can_read_and_no_other_site_sends(door):
    cookie = await door.log_in("read")
    assert [part.strip() for part in door.header.split(";")][1:] == ["Path=/", f"Max-Age={LIFE}", "HttpOnly", "SameSite=Strict"]
    assert door.tokens["read"] not in door.header
    assert await door.site.request("GET", "/api/chargers", cookie=cookie) == (200, [])
    assert await door.site.request("GET", "/api/session", cookie=cookie) == (200, {"name": "read-er", "role": "read", "login": True})


@pytest.mark.parametrize(("path", "status"), [("/api/chargers", 200), ("/api/chargers/x", 404), ("/api/none", 404), ("/api/session", 200)])
async def test_no_answer_is_kept_by_a_browser_or_taken_for_something_else(door, path, status):
    for shown, expected in (("wrong", 401), (door.tokens["read"], status)):
        assert (await door.site.request("GET", path, authorization=f"Bearer {shown}"))[0] == expected
        assert door.site.headers.getRawHeaders("cache-control") == ["no-store"]
        assert door.site.headers.getRawHeaders("x-content-type-options") == ["nosniff"]


async def test_over_tls_the_cookie_goes_over_tls_only(tmp_path, door):
    behind_proxy = await door.log_in("read", origin=f"https://{door.host}")
    assert behind_proxy.startswith(f"{SECURE_NAME}=") and "; Secure" in door.header
    directory = tmp_path / "tls"
    directory.mkdir()
    own = Door(directory, tls=True)
    assert (await own.log_in("read")).startswith(f"{SECURE_NAME}=") and "; Secure" in own.header
    await own.site.close()


@pytest.mark.parametrize("token", ["read", "command", "admin"])
async def test_a_cookie_is_good_for_what_its_token_may_do(door, token):
    cookie = await door.log_in(token)
    own = {"origin": f"http://{door.host}"}
    assert (await door.send(cookie, **own))[0] == (200 if Role[token] >= Role.command else 403)
    decided = await door.site.request("PUT", "/api/chargers/cp1", {"version": "1.6"}, cookie=cookie, **own)
    assert decided[0] == (200 if Role[token] >= Role.admin else 403)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "{own}", "sec-fetch-site": "same-site"},
        {"origin": "{own}.evil.example"},
    ],
)
async def test_what_changes_something_must_come_from_a_page_of_this_gateway(door, headers):
    cookie = await door.log_in("admin")
    headers = {name: value.replace("{own}", f"http://{door.host}") for name, value in headers.items()}
    status, answer = await door.send(cookie, **headers)
    assert (status, "Origin" in answer["detail"]) == (403, True)
    assert door.site.services.asked == []
    assert (await door.site.request("DELETE", "/api/session", cookie=cookie, **headers))[0] == 403


async def test_a_token_needs_no_origin_whatever_cookie_is_beside_it(door):
    cookie = await door.log_in("read")
    assert (await door.send(cookie, authorization=f"Bearer {door.tokens['command']}"))[0] == 200


async def test_a_cookie_is_good_until_its_time_is_over(door):
    cookie = await door.log_in("read")
    door.clock.advance(LIFE - 1)
    assert (await door.site.request("GET", "/api/chargers", cookie=cookie))[0] == 200
    door.clock.advance(2)
    assert (await door.site.request("GET", "/api/chargers", cookie=cookie))[0] == 401


async def test_logging_out_ends_the_session_for_whoever_has_the_cookie(door):
    cookie, other = await door.log_in("read"), await door.log_in("read")
    assert (await door.site.request("DELETE", "/api/session", cookie=cookie, origin=f"http://{door.host}"))[0] == 200
    check_headers("/api/session", 200, door.sent(), "delete")
    assert all("Max-Age=0" in each for each in door.site.headers.getRawHeaders("set-cookie"))
    assert (await door.site.request("GET", "/api/chargers", cookie=cookie))[0] == 401
    assert (await door.site.request("GET", "/api/chargers", cookie=other))[0] == 200


async def test_a_cookie_ends_with_its_token(door):
    cookie = await door.log_in("admin")
    door.file.write_text(door.lines["read"])
    door.known.reload()
    assert (await door.site.request("GET", "/api/chargers", cookie=cookie))[0] == 401


async def test_a_cookie_does_not_come_back_with_its_token(door):
    cookie = await door.log_in("admin")
    for lines in ([door.lines["read"]], door.lines.values()):
        door.file.write_text("\n".join(lines))
        door.known.reload()
    assert (await door.site.request("GET", "/api/chargers", cookie=cookie))[0] == 401
    await door.log_in("admin")


async def test_whoever_tries_tokens_at_the_login_is_limited_and_told_of(door):
    answers = [(await door.site.request("POST", "/api/session", authorization=f"Bearer wrong-{i}"))[0] for i in range(BURST + 1)]
    assert answers == [401] * BURST + [429]
    door.clock.advance(60)
    assert sum(each.count for each in door.failed) == BURST + 1
    assert {each.address for each in door.failed} == {"127.0.0.1"}


async def test_a_cookie_that_is_none_of_ours_is_no_wrong_token(door):
    """A page that is open when the gateway starts again asks on with its old cookie: nobody is to be warned of that."""
    for _ in range(BURST + 1):
        assert (await door.site.request("GET", "/api/chargers", cookie=f"{NAME}=old"))[0] == 401
    assert (await door.site.request("GET", "/api/chargers", cookie=f"other=1; {await door.log_in('read')}"))[0] == 200
    door.clock.advance(60)
    assert door.failed == []


async def test_where_no_token_is_needed_nobody_logs_in(tmp_path):
    site = Site()
    assert await site.request("GET", "/api/session") == (200, {"name": "", "role": "admin", "login": False})
    assert (await site.request("POST", "/api/session"))[0] == 200
    assert site.headers.getRawHeaders("set-cookie") is None
    await site.close()


def opened(sessions: Sessions, token: Token) -> bytes:
    return sessions.open(token, secure=False).partition(b";")[0]


def test_sessions_are_bounded_and_whoever_opens_many_ends_nobody_elses(tmp_path):
    made = [new_token(f"name-{i}", Role.read) for i in range(MAX_SESSIONS // MAX_OF_ONE + 1)]
    file = tmp_path / "tokens"
    file.write_text("\n".join(line for _, line in made))
    file.chmod(0o600)
    known = Tokens("", str(file), reactor)
    first, *others = [known.find(token.encode()) for token, _ in made]
    sessions = Sessions(known, Clock().seconds)
    kept = opened(sessions, others[0])
    cookies = [opened(sessions, first) for _ in range(MAX_OF_ONE + 1)]
    assert sessions.find(cookies[0]) is None
    assert (sessions.find(cookies[1]), sessions.find(kept)) == (first, others[0])
    for other in others:
        for _ in range(MAX_OF_ONE):
            opened(sessions, other)
    assert sessions.find(cookies[-1]) is None
    assert sessions.find(opened(sessions, first)) == first
