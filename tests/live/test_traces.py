"""Traces of a gateway process, as a collector gets them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

pytestmark = pytest.mark.live

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector(BaseHTTPRequestHandler):
    """Takes what is exported over HTTP."""

    requests: list[ExportTraceServiceRequest]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/traces" and not self.headers.get("content-encoding"):
            self.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *of_no_interest: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Any]:
    kind = type("OneCollector", (Collector,), {"requests": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_gateway_that_ends_has_sent_the_span_of_each_command_under_its_name(start, clean, events, collector):
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    gateway = start("--otel", "yes", environment={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "60000"})
    command = {"cp_id": "nobody", "command": "reset", "data": {"type": "Soft"}, "id": "a", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    clean("RPUSH", "commands", json.dumps(command))
    (result,) = gateway.until(lambda: [each for each in events() if each["event"] == "command_result"])
    assert gateway.stop() == 0
    (request,) = collector.RequestHandlerClass.requests
    (resource,) = request.resource_spans
    named = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert (named["service.name"], named["service.instance.id"]) == ("ocpp_tw", result["gateway"])
    (span,) = resource.scope_spans[0].spans
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == ("command reset", TRACE, "00f067aa0ba902b7")
    assert result["data"]["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
