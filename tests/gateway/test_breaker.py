"""A dead backend slows nobody (F19, FIELD 10)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from ocpp_tw.backend.static import StaticBackend
from ocpp_tw.gateway.breaker import COOL_DOWN, FAILURES, PROBES, Breaker
from ocpp_tw.interfaces import BackendFailed, IBackend


def standing() -> tuple[StaticBackend, Breaker, Clock]:
    backend, clock = StaticBackend({"T": 7}), Clock()
    return backend, Breaker(backend, clock), clock


def come(deferred: Deferred[Any]) -> Any:
    """What it came to, at once."""
    came: list[Any] = []
    deferred.addBoth(came.append)
    return came[0] if came else None


def failed(deferred: Deferred[Any]) -> bool:
    came = come(deferred)
    return came is not None and hasattr(came, "check") and came.check(BackendFailed) is not None


def test_while_all_is_well_it_is_not_noticed():
    backend, breaker, _ = standing()
    verifyObject(IBackend, breaker)
    assert come(breaker.transaction("T", "cp1", 1, "key")) == 7
    assert come(breaker.authorize("X", "cp1", None, "eMAID")).status == "Invalid"
    assert come(breaker.answer("cp1", "2.0.1", "SignCertificate", b"{}")) is None
    assert [asked[-1] for asked in backend.asked] == ["key", "eMAID", b"{}"]


def test_after_some_failures_nobody_waits_for_it():
    backend, breaker, _ = standing()
    backend.fail()
    assert all(failed(breaker.transaction("T", "cp1", 1)) for _ in range(FAILURES + 20))
    assert len(backend.asked) == FAILURES


def test_a_question_or_two_find_out_whether_it_is_back():
    backend, breaker, clock = standing()
    backend.fail()
    for _ in range(FAILURES):
        come(breaker.transaction("T", "cp1", 1).addErrback(lambda _: None))
    backend.hang()
    clock.advance(COOL_DOWN + 0.1)
    trials = [breaker.transaction("T", "cp1", 1) for _ in range(PROBES)]
    assert failed(breaker.transaction("T", "cp2", 1)) and len(backend.asked) == FAILURES + PROBES
    backend.recover()
    assert [come(trial) for trial in trials] == [7] * PROBES
    assert come(breaker.transaction("T", "cp2", 1)) == 7


def test_one_that_fails_spares_it_the_other():
    backend, breaker, clock = standing()
    backend.fail()
    for _ in range(FAILURES):
        come(breaker.transaction("T", "cp1", 1).addErrback(lambda _: None))
    for n in range(3):
        clock.advance(COOL_DOWN + 0.1)
        assert all(failed(breaker.transaction("T", "cp1", 1)) for _ in range(9))
        assert len(backend.asked) == FAILURES + n + 1


def test_whoever_waits_for_its_return_is_told():
    backend, breaker, clock = standing()
    told: list[bool] = []
    breaker.on_recovery = lambda: told.append(breaker.allows_requests)
    backend.fail()
    for _ in range(FAILURES):
        assert breaker.allows_requests and failed(breaker.transaction("T", "cp1", 1))
    assert not breaker.allows_requests
    clock.advance(COOL_DOWN + 0.1)
    assert breaker.allows_requests and failed(breaker.transaction("T", "cp1", 1)) and not breaker.allows_requests
    clock.advance(COOL_DOWN + 0.1)
    backend.recover()
    assert told == []
    assert [come(breaker.transaction("T", "cp1", 1)) for _ in range(3)] == [7] * 3
    assert told == [True]


def test_a_failure_now_and_then_changes_nothing():
    backend, breaker, _ = standing()
    for _ in range(3 * FAILURES):
        backend.fail()
        assert failed(breaker.transaction("T", "cp1", 1))
        backend.recover()
        assert come(breaker.transaction("T", "cp1", 1)) == 7


def test_a_backend_that_is_down_is_told_when_it_begins_and_when_it_is_over(said):
    """However much is asked meanwhile: it was a line for each message of a charger, 450 kB in two seconds."""
    backend, breaker, clock = standing()
    backend.fail()
    for _ in range(30):
        assert all(failed(breaker.transaction("T", "cp1", 1)) for _ in range(1000))
        clock.advance(COOL_DOWN)
    told = [line for line in said if "backend" in line]
    assert len(told) <= FAILURES + 1 and "cp1" in told[0]
    backend.recover()
    come(breaker.transaction("T", "cp1", 1))
    [over] = [line for line in said if "answers again" in line]
    assert str(30 * 1000 - FAILURES) in over


def test_a_backend_that_fails_now_and_then_is_told_now_and_then(said):
    backend, breaker, _ = standing()
    for _ in range(3000):
        backend.fail()
        come(breaker.transaction("T", "cp1", 1).addErrback(lambda _: None))
        backend.recover()
        come(breaker.transaction("T", "cp1", 1))
    told = [line for line in said if "cp1" in line]
    assert 10 <= len(told) <= 100
