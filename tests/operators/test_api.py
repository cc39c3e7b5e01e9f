"""Operators' HTTP over a real connection, in front of a fake gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture
from twisted.internet import reactor
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import deferLater

from in_memory import START_1
from ocpp_tw.core.commands import Invalid
from ocpp_tw.core.entries import Record
from ocpp_tw.dispatch.by_http import Busy, Unanswered
from ocpp_tw.interfaces import StoreUnavailable
from ocpp_tw.operators.api import PING_HOLDS
from ocpp_tw.operators.guard import MAX_BODY
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway
from operators_site import IN_FORCE, Site, raw


@async_yield_fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    yield made
    await made.close()


# decisions


@pytest.mark.parametrize(
    "changes",
    [
        {"boot_status": "Accepted"},
        {"boot_status": "Pending", "retry_interval": 1},
        {"boot_status": "Rejected", "retry_interval": 86_400, "version": "1.6"},
        {"version": "2.0.1"},
        {"boot_status": None, "retry_interval": None, "version": None},
    ],
)
async def test_a_decision_is_passed_on_and_answered_with_what_is_in_force(site, changes):
    """B1 to B5: whether or not the charger has ever been here."""
    assert await site.request("PUT", "/api/chargers/cp1", changes) == (200, {"id": "cp1", **IN_FORCE})
    assert site.gateway.decisions.made == [("cp1", {**changes, "registered": "yes"})]


WRONG = [
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b'{"boot_status": "Accepted"} x', "not JSON"),
    (b'\xff{"version": "1.6"}', "not JSON"),
    (b"[" * 100_000, "not JSON"),
    ([], "must be a JSON object"),
    (None, "not JSON"),
    (b"null", "must be a JSON object"),
    (b"7", "with any of boot_status, retry_interval, version, security_profile, password, certificate"),
    ({"boot": "Accepted"}, "Unknown member 'boot'"),
    ({"boot_status": "Accepted", "registered": "yes"}, "Unknown member 'registered'"),
    *(({"boot_status": value}, "boot_status must be Accepted, Pending or Rejected") for value in ("accepted", "", 1, True, [], {})),
    *(({"retry_interval": value}, "from 1 to 86400") for value in (0, -1, 86_401, 1.0, "60", True, [])),
    *(({"security_profile": value}, "a number from 0 to 3") for value in (-1, 4, 1.0, "1", True, [])),
    *(({"password": value}, "16 to 64 printable characters") for value in ("", "x" * 15, "x" * 65, "é" * 33, "x" * 16 + "\n", 1, [])),
    *(({"certificate": value}, "64 hexadecimal digits") for value in ("", "a" * 63, "g" * 64, 7)),
    *(({"version": value}, "version must be 1.6 or 2.0.1 or 2.1") for value in ("1.5", "ocpp1.6", "", 1.6, ["1.6"])),
]


@pytest.mark.parametrize(("body", "detail"), WRONG, ids=[repr(body)[:40] for body, _ in WRONG])
async def test_an_invalid_decision_is_refused_with_the_reason(site, body, detail):
    status, answer = await site.request("PUT", "/api/chargers/cp1", body)
    assert status == 400
    assert detail in answer["detail"]
    assert site.gateway.decisions.made == []


async def test_a_password_is_stored_as_nobody_can_read_it_and_never_shown(site):
    status, answer = await site.request("PUT", "/api/chargers/cp1", {"password": "correct horse battery"})
    ((_, changes),) = site.gateway.decisions.made
    assert status == 200 and "correct" not in str(answer) + str(changes)
    assert site.gateway.passwords.match(changes["password"], b"correct horse battery")


async def test_a_password_that_is_set_already_is_told_to_be_the_same(site):
    stored = site.gateway.passwords.stored(b"correct horse battery")
    site.gateway.decisions.standings["cp1"] = Record(password=stored)
    for password in ("correct horse battery", "correct horse batterz", "generate", None):
        assert (await site.request("PUT", "/api/chargers/cp1", {"password": password}))[0] == 200
    site.gateway.decisions.standings["cp1"] = Record(password="abcdef01" + stored[8:])  # under a key that is not here
    assert (await site.request("PUT", "/api/chargers/cp1", {"password": "correct horse battery"}))[0] == 200
    assert site.gateway.decisions.repeated == [["password"], [], [], [], []]
    assert site.gateway.passwords.match(site.gateway.decisions.made[0][1]["password"], b"correct horse battery")


async def test_a_certificate_that_is_set_already_is_told_to_be_the_same(site):
    site.gateway.decisions.standings["cp1"] = Record(certificate="ab" * 32)
    for certificate in (":".join(["AB"] * 32), "cd" * 32, None):
        assert (await site.request("PUT", "/api/chargers/cp1", {"certificate": certificate}))[0] == 200
    assert site.gateway.decisions.repeated == [["certificate"], [], []]


async def test_a_security_profile_that_is_set_already_is_set_anew_unless_the_request_says_otherwise(site):
    site.gateway.decisions.standings["cp1"] = Record(security_profile="1")
    for query, profile in (("", 1), ("?unchanged=keep", 1), ("?unchanged=keep", 2), ("?unchanged=keep", None)):
        assert (await site.request("PUT", f"/api/chargers/cp1{query}", {"security_profile": profile}))[0] == 200
    assert site.gateway.decisions.repeated == [[], ["security_profile"], [], []]
    status, answer = await site.request("PUT", "/api/chargers/cp1?unchanged=yes", {"security_profile": 1})
    assert (status, answer) == (400, {"detail": "unchanged must be one of keep"})


async def test_a_generated_password_is_shown_once(site):
    _, answer = await site.request("PUT", "/api/chargers/cp1", {"password": "generate"})
    _, another = await site.request("PUT", "/api/chargers/cp1", {"password": "generate"})
    assert len(answer["password"]) == 40 and answer["password"] != another["password"]
    assert site.gateway.passwords.match(site.gateway.decisions.made[0][1]["password"], answer["password"].encode())


async def test_a_charger_is_registered_by_naming_it(site):
    assert (await site.request("PUT", "/api/chargers/cp1", {}))[0] == 200
    assert site.gateway.decisions.made == [("cp1", {"registered": "yes"})]


async def test_a_fingerprint_is_taken_with_colons_and_in_any_case(site):
    await site.request("PUT", "/api/chargers/cp1", {"certificate": ":".join(["AB"] * 32)})
    assert site.gateway.decisions.made[0][1]["certificate"] == "ab" * 32


async def test_who_is_not_known_cannot_be_unregistered(site):
    assert (await site.request("DELETE", "/api/chargers/cp1"))[0] == 404
    site.gateway.decisions.memory["cp1"] = IN_FORCE
    assert (await site.request("DELETE", "/api/chargers/cp1"))[0] == 200


async def test_a_version_that_is_switched_off_cannot_be_decided_on(site):
    site.gateway.settings = Settings(versions=("1.6",))
    status, answer = await site.request("PUT", "/api/chargers/cp1", {"version": "2.1"})
    assert (status, answer) == (400, {"detail": "version must be 1.6, or null to take it back"})


async def test_a_failure_says_nothing_of_its_cause(site, tidy):
    site.gateway.decisions.failing = RuntimeError("a secret")
    status, answer = await site.request("PUT", "/api/chargers/cp1", {"version": "1.6"})
    assert (status, answer) == (500, {"detail": "Internal error, see the log"})
    assert [str(event["log_failure"].value) for event in tidy] == ["a secret"]
    tidy.clear()


@pytest.mark.parametrize("why", [TimeoutError(3, "Deferred"), StoreUnavailable("refused")])
@pytest.mark.parametrize(("method", "body"), [("PUT", {"version": "1.6"}), ("GET", None)])
async def test_without_redis_a_decision_and_a_record_are_unavailable_for_now(site, method, body, why):
    """HOSTILE: not an error of the gateway's own, which is 500."""
    site.gateway.decisions.failing = why
    status, answer = await site.request(method, "/api/chargers/cp1", body)
    assert (status, answer) == (503, {"detail": "Redis does not answer at the moment: try again"})


IDS = [("/api/chargers/RDAM%20123", "RDAM 123"), ("/api/chargers/a%2Fb", "a/b"), ("/api/chargers/a/b", "a/b"), ("/api/chargers/a%7Cb%C3%A9", "a|bé"), ("/api/chargers/50%25", "50%"), ("/api/chargers/a%252Fb", "a%2Fb"), ("/api/chargers/a+b;c=1", "a+b;c=1")]  # fmt: skip


@pytest.mark.parametrize(("path", "id"), IDS)
async def test_an_identity_is_decoded_once(site, path, id):
    """C1."""
    assert (await site.request("PUT", path, {"version": "1.6"}))[0] == 200
    assert site.gateway.decisions.made == [(id, {"version": "1.6", "registered": "yes"})]
    site.gateway.decisions.memory[id] = IN_FORCE
    assert await site.request("GET", path) == (200, {"connected": False, "id": id, **IN_FORCE, "last_refusal": None})


@pytest.mark.parametrize("path", ["/api/chargers/" + "x" * 49, "/api/chargers/a%00b", "/api/chargers/%7F"])
async def test_an_identity_that_no_charger_can_have(site, path):
    """C2, C4."""
    assert await site.request("PUT", path, {"version": "1.6"}) == (400, {"detail": "No charger can have this identity"})


async def test_a_line_end_is_in_no_route(site):
    """C2."""
    assert (await site.request("PUT", "/api/chargers/a%0Ab", {"version": "1.6"}))[0] == 404


# chargers


async def test_an_unknown_charger(site):
    status, answer = await site.request("GET", "/api/chargers/cp1")
    assert status == 404
    assert "nothing is remembered" in answer["detail"]


async def test_a_connected_charger_with_its_transactions():
    home = InMemoryGateway()
    guest = home.connect("RDAM 123")
    guest.call("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})
    begun = guest.call("StartTransaction", START_1)
    site = Site(gateway=home.gateway, verdicts=home.application.verdicts)
    status, [listed] = await site.request("GET", "/api/chargers")
    assert (status, listed["id"], listed["registration"]) == (200, "RDAM 123", "Accepted")
    status, told = await site.request("GET", "/api/chargers/RDAM%20123")
    assert (status, told["connected"], told["boot_status"], told["registration"]) == (200, True, None, "Accepted")
    assert [each["id"] for each in told["transactions"]] == [begun["transactionId"]]
    assert told["liveness"] == {"unresponsive": False, "silent": False, "flapping": False, "flooding": False} and told["clock_skew"] is None
    assert (await site.request("GET", "/healthz"))[1] == {"status": "ok", "chargers": 1}
    await site.close()


async def test_violations_are_listed(site):
    site.services.seen = [{"vendor": "v", "count": 3}]
    assert await site.request("GET", "/api/violations") == (200, [{"vendor": "v", "count": 3}])
    without = Site(evidence=False)
    assert await without.request("GET", "/api/violations") == (200, [])
    await without.close()


# commands


async def test_a_commands_answers(site):
    """200 with the charger's answer, else 400 with the text that backends expect."""
    base = {"id": "1", "error": None, "payload": None, "sent": True}
    site.services.result = base | {"outcome": "result", "payload": {"status": "Accepted"}}
    assert await site.request("POST", "/command/", {"cp_id": "cp1"}) == (200, {"status": "Accepted"})
    assert site.services.asked == [b'{"cp_id": "cp1"}']
    site.services.result = base | {"outcome": "offline"}
    status, answer = await site.request("POST", "/command/", {})
    assert (status, answer["detail"], answer["outcome"]) == (400, "Charger not connected", "offline")
    site.services.result = base | {"outcome": "error", "error": {"code": "NotSupported", "description": "no"}}
    assert (await site.request("POST", "/command/", {}))[1]["detail"] == "no"
    site.services.result = base | {"outcome": "timeout"}
    assert (await site.request("POST", "/command/", {}))[1]["detail"] == "timeout"
    site.services.result = base | {"outcome": "error", "sent": False, "error": {"code": "unavailable", "description": "not now"}}
    unavailable = {"detail": "not now", "outcome": "error", "error": site.services.result["error"], "id": "1"}
    assert await site.request("POST", "/command/", {}) == (503, unavailable)
    site.services.result = base | {"outcome": "error", "sent": True, "error": {"code": "unavailable", "description": "says the charger"}}
    assert (await site.request("POST", "/command/", {}))[0] == 400
    site.services.result = Unanswered()
    assert (await site.request("POST", "/command/", {}))[0] == 503
    site.services.result = Busy()
    assert (await site.request("POST", "/command/", {}))[0] == 503
    site.services.result = Invalid("no action")
    assert await site.request("POST", "/command/", b"x") == (400, {"detail": "no action", "outcome": "invalid"})


async def test_a_password_is_rotated_by_a_command_and_the_answer_has_its_status(site):
    base = {"id": "u1", "sent": True, "error": None, "payload": None, "status": None}
    site.services.result = base | {"outcome": "result", "status": "RebootRequired", "payload": {"status": "RebootRequired"}}
    path = "/api/chargers/a/b/rotate-password"  # an identity may have a slash
    assert await site.request("POST", path) == (200, {"id": "a/b", "status": "RebootRequired", "command": "u1"})
    assert site.services.asked == [b'{"cp_id":"a/b","command":"rotate_password","data":{}}']
    site.services.result = base | {"outcome": "timeout"}
    assert await site.request("POST", path) == (400, {"detail": "timeout", "outcome": "timeout", "error": None, "id": "u1"})
    error = {"code": "unavailable", "description": "not now"}
    site.services.result = base | {"outcome": "error", "sent": False, "error": error}
    assert (await site.request("POST", path))[0] == 503
    assert (await site.request("GET", path))[0] in (404, 405)


async def test_a_security_profile_is_raised_by_a_command(site):
    base = {"id": "u1", "sent": True, "error": None, "payload": None, "status": None}
    site.services.result = base | {"outcome": "result", "status": "Accepted"}
    path = "/api/chargers/cp1/security-profile"
    assert await site.request("POST", path, {"security_profile": 2}) == (200, {"id": "cp1", "status": "Accepted", "command": "u1"})
    assert site.services.asked == [b'{"cp_id":"cp1","command":"set_security_profile","data":{"security_profile":2}}']
    site.services.result = base | {"outcome": "invalid", "sent": False, "error": {"code": "invalid", "description": "no TLS"}}
    status, answer = await site.request("POST", path, {"security_profile": 2})
    assert (status, answer["detail"]) == (400, "no TLS")
    for body in (b"", b"2", b"[]", b"\xff"):
        assert (await site.request("POST", path, body))[0] == 400
    site.services.result = Invalid("no charger")
    assert await site.request("POST", path, {"security_profile": 2}) == (400, {"detail": "no charger"})


@pytest.mark.parametrize(("method", "path"), [("POST", "/command/"), ("PUT", "/api/chargers/cp1")])
async def test_a_body_that_is_too_long_is_refused(site, method, path):
    status, answer = await site.request(method, path, b" " * (MAX_BODY + 1))
    assert (status, answer) == (413, {"detail": f"The body is longer than {MAX_BODY} bytes"})
    assert site.services.asked == []
    site.services.result = {"outcome": "result", "payload": {}}
    assert (await site.request(method, path, b" " * (MAX_BODY - 17) + b'{"version":"1.6"}'))[0] == 200


# the token, and unknown routes

ROUTES = [("POST", "/command/"), ("GET", "/api/chargers"), ("GET", "/api/chargers/cp1"), ("PUT", "/api/chargers/cp1"), ("GET", "/api/violations")]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", "Basic s3cret", "Bearer s3cretx"])
async def test_without_the_token_nothing_is_served(method, path, shown):
    site = Site("s3cret")
    headers = {"Authorization": shown} if shown else {}
    status, answer = await site.request(method, path, {"version": "1.6"} if method != "GET" else None, **headers)
    assert status == 401 and "bearer token" in answer["detail"]
    assert site.headers.getRawHeaders("www-authenticate") == ['Bearer realm="ocpp"']
    assert site.services.asked == site.gateway.decisions.made == []
    await site.close()


@pytest.mark.parametrize("shown", [b"Bearer \xff\xfe", b"\x80", "Bearer gehé".encode("latin-1")])
async def test_a_token_in_any_bytes_is_a_wrong_token(shown):
    site = Site("s3cret")
    answer = await raw(site, b"GET /api/chargers HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: " + shown + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")
    await site.close()


@pytest.mark.parametrize("length", [b"Content-Length: 5000000", b"Transfer-Encoding: chunked"])
async def test_of_a_body_that_is_too_long_nothing_is_kept(length):
    """Neither in memory nor in a file, and the token comes first."""
    site, body = Site("s3cret"), b"x" * 5_000_000
    sent = body if length.startswith(b"Content") else b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    head = b"POST /command/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + length
    assert (await raw(site, head + b"\r\n\r\n" + sent)).startswith(b"HTTP/1.1 401 ")
    assert (await raw(site, head + b"\r\nAuthorization: Bearer s3cret\r\n\r\n" + sent)).startswith(b"HTTP/1.1 413 ")
    assert site.services.asked == []
    await site.close()


FOREIGN = [
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://localhost"}, 403),
    ({"Host": "evil.example"}, 403),
    ({"Host": "evil.example:10801", "Origin": "http://evil.example:10801"}, 403),
    ({"Host": "127.0.0.1.evil.example"}, 403),
    ({"Content-Type": "text/plain"}, 415),
    ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
]


@pytest.mark.parametrize(("headers", "status"), FOREIGN)
@pytest.mark.parametrize(("method", "path"), [("POST", "/command/"), ("PUT", "/api/chargers/cp1")])
async def test_without_a_token_no_web_page_can_send_a_command_or_decide(site, method, path, headers, status):
    """HOSTILE F13: neither from its own origin, nor under a name of its own that leads to this machine."""
    assert (await site.request(method, path, {"version": "1.6"}, **headers))[0] == status
    assert site.services.asked == site.gateway.decisions.made == []


@pytest.mark.parametrize("host", ["evil.example", "192.0.2.7:10801", "[2001:db8::1]", "\xe9", "["])
async def test_without_a_token_nothing_is_read_under_a_foreign_name(site, host):
    assert (await raw(site, f"GET /api/violations HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1")))[:12] in (
        b"HTTP/1.1 403",
        b"HTTP/1.1 400",  # no name at all
    )


@pytest.mark.parametrize("path", ["/api/chargers/%FF", "/\xff", "/command/%80"])
async def test_a_path_in_any_bytes_is_refused_without_a_trace_in_the_log(site, path):
    assert (await raw(site, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("latin-1"))).startswith(
        b"HTTP/1.1 400"
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Host": "localhost:10801"},
        {"Host": "LOCALHOST", "Origin": "http://localhost"},
        {"Host": "[::1]:10801"},
        {"Host": "127.0.0.2"},
    ],
)
async def test_without_a_token_whoever_is_on_this_machine_may_ask(site, headers):
    """The third is what `curl -d` sends, as the contract shows it."""
    assert (await site.request("PUT", "/api/chargers/cp1", {"version": "1.6"}, **headers))[0] == 200


async def test_with_a_token_host_origin_and_type_do_not_matter():
    site = Site("s3cret")
    more = {"Authorization": "Bearer s3cret", "Host": "csms.example", "Origin": "https://desk.example", "Content-Type": "text/plain"}
    assert (await site.request("PUT", "/api/chargers/cp1", {"version": "1.6"}, **more))[0] == 200
    await site.close()


async def test_with_the_token_all_is_served_and_health_without():
    site = Site("s3cret")
    token = {"Authorization": "bearer s3cret"}  # the scheme is written as one likes
    assert await site.request("GET", "/api/chargers", **token) == (200, [])
    assert (await site.request("PUT", "/api/chargers/cp1", {"version": "1.6"}, **token))[0] == 200
    assert (await site.request("GET", "/healthz"))[0] == 200
    assert (await site.request("GET", "/readyz"))[0] == 200
    await site.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/command/"), ("POST", "/api/chargers"), ("DELETE", "/api/chargers"), ("POST", "/api/chargers/cp1"), ("PUT", "/healthz"), ("POST", "/api/violations")],
)  # fmt: skip
async def test_another_method_is_not_allowed(site, method, path):
    assert await site.request(method, path, b"{}" if method != "GET" else None) == (405, {"detail": "Method Not Allowed"})
    assert site.headers.hasHeader("allow")
    assert site.gateway.decisions.made == []


@pytest.mark.parametrize("path", ["/index.html", "/api", "/api/chargers/", "/nothing", "/command/x", "http://localhost/healthz"])
async def test_unknown_paths(site, path):
    answer = await raw(site, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 ") and b'{"detail":"Not Found"}' in answer


async def test_readiness(site):
    told = {"ready": True, "redis": True, "unread": 12, "spool": None, "stopping": False}
    told["credentials_key"] = None
    told["open"] = ["chargers are not authenticated (--security-profile)"]
    assert await site.request("GET", "/readyz") == (200, told)
    site.services.up = False
    assert await site.request("GET", "/readyz") == (200, told)  # as it was a second ago at most
    await deferLater(reactor, PING_HOLDS)
    assert await site.request("GET", "/readyz") == (503, told | {"ready": False, "redis": False})
    site.services.spool = {"groups": 1, "events": 7, "trouble": ""}  # what is on the disk is durable
    assert await site.request("GET", "/readyz") == (200, told | {"redis": False, "spool": site.services.spool})
    site.services.spool = {"groups": 1, "events": 7, "trouble": "database or disk is full"}
    assert await site.request("GET", "/readyz") == (503, told | {"ready": False, "redis": False, "spool": site.services.spool})
    site.services.up, site.services.spool, site.gateway.stopping = True, {}, True
    assert await site.request("GET", "/readyz") == (503, told | {"ready": False, "stopping": True})


async def test_a_request_is_cancelled_when_its_client_disconnects(site):
    cancelled: list[Any] = []
    site.services.result = Deferred(cancelled.append)
    asked = site.request("POST", "/command/", {})
    asking = Deferred.fromCoroutine(asked)
    while not site.services.asked:
        await deferLater(reactor, 0.01)
    asking.cancel()
    asking.addErrback(lambda _: None)
    await asking
    while not cancelled:
        await deferLater(reactor, 0.01)
