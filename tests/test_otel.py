"""Traces: what becomes a span of which trace, and what neither costs nor is imported where nobody has asked for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from pytest_twisted import async_yield_fixture
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred, fail
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface.verify import verifyObject

from fleets import until
from ocpp_tw import otel
from ocpp_tw.backend.http import HttpBackend
from ocpp_tw.core.commands import parse, render
from ocpp_tw.interfaces import BackendFailed, IQuestion, ITracer
from ocpp_tw.otel import BELONGS_FOR, OtelTracer
from ocpp_tw.settings import InvalidSetting, Settings
from ocpp_tw.testing import InMemoryGateway
from ocpp_tw.untraced import Untraced

ROOT = Path(__file__).parents[1]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
START = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2026-09-21T14:00:00Z"}


class Traced:
    """A tracer and the spans that have ended."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.now = 0.0
        self.tracer = OtelTracer(provider, lambda: self.now)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())


def trace_of(span: ReadableSpan) -> str:
    return f"{span.context.trace_id:032x}"


def id_of(span: ReadableSpan) -> str:
    return f"{span.context.span_id:016x}"


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


@pytest.fixture
def traced() -> Traced:
    return Traced()


@pytest.fixture
def gateway(traced: Traced) -> Any:
    made = InMemoryGateway(tracer=traced.tracer)
    made.dispatcher.start()
    yield made
    made.dispatcher.stop()


def reset(id: str = "a", **more: Any) -> dict[str, Any]:
    return {"cp_id": "cp1", "command": "reset", "data": {"type": "Soft"}, "id": id, **more}


@pytest.mark.parametrize("tracer", [Untraced(), Traced().tracer], ids=["untraced", "otel"])
def test_tracers_are_what_their_interface_says(tracer: Any):
    assert verifyObject(ITracer, tracer) and verifyObject(IQuestion, tracer.question("transaction", "cp1"))


def test_a_command_is_a_span_of_the_trace_that_it_names_and_so_is_its_result(traced: Traced, gateway: InMemoryGateway):
    charger = gateway.connect()
    gateway.push_command(**reset(traceparent=TRACEPARENT))
    assert traced.spans == []  # it lasts until its result
    charger.answer({"status": "Accepted"})
    (span,) = traced.spans
    assert (trace_of(span), parent_of(span), span.kind) == (TRACE, SPAN, SpanKind.CONSUMER)
    assert span.status.status_code is not StatusCode.ERROR
    attributes = {"ocpp.charger": "cp1", "ocpp.command": "reset", "ocpp.command.id": "a", "ocpp.outcome": "result"}
    assert dict(span.attributes or {}) == attributes
    assert gateway.command_result()["traceparent"] == f"00-{TRACE}-{id_of(span)}-01"


def test_the_raw_form_takes_a_traceparent_too(traced: Traced, gateway: InMemoryGateway):
    charger = gateway.connect()
    gateway.push_command(CpID="cp1", data=[2, "a", "Reset", {"type": "Soft"}], traceparent=TRACEPARENT)
    charger.answer({"status": "Accepted"})
    assert trace_of(traced.spans[0]) == TRACE


@pytest.mark.parametrize("said", [None, 5, "", "00-1-2-3", TRACEPARENT.upper(), TRACEPARENT + "\n", f"00-{'0' * 32}-{SPAN}-01"])
def test_a_command_with_no_usable_traceparent_begins_a_trace_and_is_sent(traced: Traced, gateway: InMemoryGateway, said: Any):
    charger = gateway.connect()
    gateway.push_command(**reset(traceparent=said))
    charger.answer({"status": "Accepted"})
    (span,) = traced.spans
    assert span.parent is None and trace_of(span) not in ("0" * 32, TRACE)


def test_a_command_that_fails_is_a_span_with_an_error(traced: Traced, gateway: InMemoryGateway):
    gateway.push_command(**reset())
    gateway.push_command(cp_id="cp1", command="reset", data="nonsense", id="b")
    assert [(span.attributes or {})["ocpp.outcome"] for span in traced.spans] == ["offline", "invalid"]
    assert all(span.status.status_code is StatusCode.ERROR for span in traced.spans)


async def test_a_command_by_http_is_traced(traced: Traced, gateway: InMemoryGateway):
    charger = gateway.connect()
    asked = ensureDeferred(_awaited(gateway.dispatcher.ask(json.dumps(reset(traceparent=TRACEPARENT)).encode())))
    charger.answer({"status": "Accepted"})
    result = await asked
    (span,) = traced.spans
    assert (trace_of(span), parent_of(span), span.kind) == (TRACE, SPAN, SpanKind.SERVER)
    assert result["traceparent"] == f"00-{TRACE}-{id_of(span)}-01"


async def _awaited(value: Any) -> Any:
    return await value


def test_the_span_of_a_command_ends_when_another_gateway_has_it_which_has_one_of_its_own(traced: Traced, gateway: InMemoryGateway):
    other = InMemoryGateway(Settings(name="other"), gateway.store, gateway.clock, tracer=traced.tracer)
    other.dispatcher.start()
    charger = other.connect()
    gateway.store.push(json.dumps(reset(traceparent=TRACEPARENT)).encode(), "gw")
    gateway.clock.advance(1)
    charger.answer({"status": "Accepted"})
    outcomes = {(span.attributes or {})["ocpp.outcome"] for span in traced.spans}
    assert outcomes == {"handed_on", "result"} and {trace_of(span) for span in traced.spans} == {TRACE}
    other.dispatcher.stop()


def test_a_command_handed_on_by_http_keeps_its_trace():
    command = parse(json.dumps(reset(traceparent=TRACEPARENT)).encode())
    assert parse(render(command, "gw")).traceparent == TRACEPARENT
    untraced = parse(json.dumps(reset()).encode())
    assert untraced.traceparent == "" and b"traceparent" not in render(untraced, "gw")


def test_without_otel_the_result_has_what_the_command_had_and_nothing_else():
    gateway = InMemoryGateway()
    gateway.dispatcher.start()
    gateway.push_command(**reset(traceparent=TRACEPARENT))
    assert gateway.command_result()["traceparent"] == TRACEPARENT
    gateway.push_command(**reset("b"))
    assert gateway.command_result()["traceparent"] is None
    gateway.dispatcher.stop()


# questions to the backend


class Backend(Resource):
    """Gives every tag a transaction, and keeps the headers that say which trace a request belongs to."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.traceparents: list[list[str] | None] = []
        self.port = reactor.listenTCP(0, Site(self), interface="127.0.0.1")

    def render_GET(self, request: Any) -> bytes:
        self.traceparents.append(request.requestHeaders.getRawHeaders("traceparent"))
        return b'{"status": true, "data": {"id": 7}}'

    def driver(self, tracer: ITracer | None) -> HttpBackend:
        return HttpBackend(f"http://127.0.0.1:{self.port.getHost().port}", reactor, 10, 10, tracer=tracer)


@async_yield_fixture
async def backend() -> AsyncIterator[Backend]:
    made = Backend()
    yield made
    await made.port.stopListening()


async def test_the_backend_is_told_the_trace_of_the_command_that_has_led_to_the_start(traced: Traced, backend: Backend):
    driver = backend.driver(traced.tracer)
    gateway = InMemoryGateway(Settings(name="gw", base_url="http://backend"), backend=driver, tracer=traced.tracer)
    gateway.dispatcher.start()
    charger = gateway.connect()
    data = {"tag": "T", "connector_id": 1}
    gateway.push_command(cp_id="cp1", command="remote_start_transaction", data=data, id="a", traceparent=TRACEPARENT)
    charger.answer({"status": "Accepted"})
    charger.send_call("StartTransaction", START)
    await until(lambda: len(traced.spans) == 2)
    command, question = traced.spans
    assert (question.name, question.kind) == ("backend transaction", SpanKind.CLIENT)
    assert trace_of(question) == TRACE and parent_of(question) == id_of(command)
    assert backend.traceparents == [[f"00-{TRACE}-{id_of(question)}-01"]]
    assert not any("T" in (str(value), key) for span in traced.spans for key, value in (span.attributes or {}).items())
    gateway.dispatcher.stop()
    await driver.close()


@pytest.mark.parametrize(("charger", "tag", "after"), [("cp2", "T", 0), ("cp1", "U", 0), ("cp1", "", 0), ("cp1", "T", BELONGS_FOR)])
def test_a_question_about_somebody_else_or_much_later_is_a_trace_of_its_own(traced: Traced, charger: str, tag: str, after: float):
    command = {"cp_id": "cp1", "command": "remote_start_transaction", "data": {"tag": "T"}, "id": "a", "traceparent": TRACEPARENT}
    traced.tracer.begun(parse(json.dumps(command).encode()))
    traced.now += after
    traced.tracer.question("authorize", charger, tag).answered(None)
    assert traced.spans[0].parent is None


def test_a_question_without_an_answer_is_a_span_with_an_error(traced: Traced):
    failure = Failure(BackendFailed("the backend answered 500"))
    assert traced.tracer.question("transaction", "cp1", "T").answered(failure) is failure
    (span,) = traced.spans
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "the backend answered 500")


def test_commands_that_start_are_remembered_only_so_many(traced: Traced, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(otel, "MAX_STARTS", 2)
    for tag in ("A", "B", "C"):
        command = {"cp_id": "cp1", "command": "remote_start_transaction", "data": {"tag": tag}, "id": tag, "traceparent": TRACEPARENT}
        traced.tracer.begun(parse(json.dumps(command).encode()))
    for tag in ("A", "B", "C"):
        traced.tracer.question("authorize", "cp1", tag).answered(None)
    assert [span.parent is None for span in traced.spans] == [True, False, False]


async def test_without_otel_the_backend_is_told_no_trace(backend: Backend):
    driver = backend.driver(None)
    assert await driver.transaction("T", "cp1", 1) == 7
    assert backend.traceparents == [None]
    await driver.close()


# settings


def test_the_variables_of_opentelemetry_say_where_to_and_under_which_name():
    made = otel.provider("gw-1", {"OTEL_TRACES_EXPORTER": "console"})
    assert made.resource.attributes["service.name"] == "ocpp_tw" and made.resource.attributes["service.instance.id"] == "gw-1"
    made.shutdown()
    otel.provider("gw-1", {"OTEL_TRACES_EXPORTER": "none"}).shutdown()


@pytest.mark.parametrize("environment", [{"OTEL_TRACES_EXPORTER": "pigeon"}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "pigeon"}])
def test_an_exporter_that_there_is_not_ends_the_start_with_its_name(environment: dict[str, str]):
    with pytest.raises(InvalidSetting, match="pigeon"):
        otel.provider("gw", environment)


def run(program: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OTEL_TRACES_EXPORTER": "none"}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True).stdout


MADE = """
import sys
{before}
from twisted.internet import reactor
from ocpp_tw.process.tracing import tracing_of
from ocpp_tw.settings import InvalidSetting, Settings
import ocpp_tw.process.service
try:
    print(type(tracing_of(Settings(otel={otel}), reactor).tracer).__name__)
except InvalidSetting as why:
    print(why)
print(any(name.partition(".")[0] == "opentelemetry" for name in sys.modules))
"""


def test_opentelemetry_is_imported_only_with_the_setting():
    assert run(MADE.format(before="", otel=False)).split() == ["Untraced", "False"]
    assert run(MADE.format(before="", otel=True)).split() == ["OtelTracer", "True"]


def test_the_setting_without_the_package_says_what_to_install():
    said = run(MADE.format(before='sys.modules["opentelemetry"] = None', otel=True))
    assert "pip install 'ocpp_tw[otel]'" in said


def test_a_failure_passes_the_question_of_a_gateway_that_traces_nothing():
    failure = fail(BackendFailed("no"))
    assert Untraced().question("answer", "cp1").answered(failure) is failure
    failure.addErrback(lambda _: None)
