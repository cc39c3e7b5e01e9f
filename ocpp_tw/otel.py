"""Traces commands and the questions to the backend with OpenTelemetry, which `pip install ocpp_tw[otel]` brings.

Knows neither chargers nor HTTP. Only this module imports OpenTelemetry, and it is imported only with `--otel`. No tag is in a span.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from typing import Any, TypeVar

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from twisted.python.failure import Failure
from zope.interface import implementer

from . import __version__
from .core.commands import Command
from .interfaces import IQuestion, ITracer
from .ocpp.frames import Payload
from .settings import InvalidSetting

T = TypeVar("T")

STARTS = ("RemoteStartTransaction", "RequestStartTransaction", "remote_start_transaction")
"""Commands upon which a charger asks about their tag, and begins a transaction: what the backend is asked then belongs to their trace."""

BELONGS_FOR = 120.0
"""Seconds after such a command for which it does: drivers plug in when they have pressed the button."""

MAX_STARTS = 10_000
"""Most such commands that are remembered; those given first are forgotten."""

WELL = ("result",)
"""Outcomes of commands that are no error."""

PROTOCOLS = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
"""A value of OTEL_EXPORTER_OTLP_PROTOCOL -> the exporter for it."""

_propagator = TraceContextTextMapPropagator()


@implementer(IQuestion)
class Question:
    """A question to the backend, while its span is open."""

    def __init__(self, span: Span) -> None:
        self.traceparent = _traceparent(span)
        self._span = span

    def answered(self, answer: T) -> T:
        """See `IQuestion`."""
        if isinstance(answer, Failure):
            self._span.set_status(Status(StatusCode.ERROR, answer.getErrorMessage()))
        self._span.end()
        return answer


@implementer(ITracer)
class OtelTracer:
    """See `ITracer` for the methods; ``seconds`` is a clock."""

    def __init__(self, provider: TracerProvider, seconds: Callable[[], float]) -> None:
        self._tracer = provider.get_tracer("ocpp_tw", __version__)
        self._seconds = seconds
        self._open: dict[str, Span] = {}
        self._starts: OrderedDict[tuple[str, str], tuple[float, Context]] = OrderedDict()

    def begun(self, command: Command) -> Command:
        """See `ITracer`."""
        parent = _propagator.extract({"traceparent": command.traceparent}, Context())
        attributes = {"ocpp.charger": command.charger, "ocpp.command": command.name, "ocpp.command.id": command.id}
        kind = SpanKind.CONSUMER if command.element else SpanKind.SERVER
        span = self._tracer.start_span(f"command {command.name}", parent, kind, attributes)
        own = _traceparent(span)
        if not own:  # OTEL_SDK_DISABLED
            return command
        self._open[own] = span
        if command.name in STARTS and (tag := _tag(command.payload)):
            self._remember((command.charger, tag), span)
        return command.traced(own)

    def ended(self, command: Command, outcome: str, error: str = "") -> None:
        """See `ITracer`."""
        span = self._open.pop(command.traceparent, None)
        if span is not None:
            span.set_attribute("ocpp.outcome", outcome)
            if outcome not in WELL:
                span.set_status(Status(StatusCode.ERROR, error or outcome))
            span.end()

    def left(self, command: Command) -> None:
        """See `ITracer`."""
        span = self._open.pop(command.traceparent, None)
        if span is not None:
            span.set_attribute("ocpp.outcome", "handed_on")
            span.end()

    def question(self, kind: str, charger: str, tag: str = "") -> IQuestion:
        """See `ITracer`."""
        until, parent = self._starts.get((charger, tag), (0.0, Context()))
        if self._seconds() >= until:
            parent = Context()
        span = self._tracer.start_span(f"backend {kind}", parent, SpanKind.CLIENT, {"ocpp.charger": charger, "ocpp.question": kind})
        return Question(span)

    def _remember(self, whose: tuple[str, str], span: Span) -> None:
        now = self._seconds()
        self._starts.pop(whose, None)
        self._starts[whose] = now + BELONGS_FOR, set_span_in_context(span, Context())
        while len(self._starts) > MAX_STARTS or next(iter(self._starts.values()))[0] <= now:
            self._starts.popitem(last=False)


def provider(gateway: str, environment: Any = os.environ) -> TracerProvider:
    """What OpenTelemetry's own variables ask for: exporters, their addresses, the sampler, names. ``gateway`` is this one's name.

    Raises:
        InvalidSetting: an exporter is not known, or not installed.
    """
    named = "OTEL_SERVICE_NAME" in environment or "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    own = {"service.instance.id": gateway} | ({} if named else {"service.name": "ocpp_tw"})
    made = TracerProvider(resource=Resource.create(own), shutdown_on_exit=False)
    for name in _exporters(environment):
        found = list(entry_points(group="opentelemetry_traces_exporter", name=name))
        if not found:
            raise InvalidSetting(
                f"--otel: there is no exporter of traces {name} (OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_PROTOCOL): install it"
            )
        made.add_span_processor(BatchSpanProcessor(found[0].load()()))
    return made


def _exporters(environment: Any) -> Iterable[str]:
    for name in environment.get("OTEL_TRACES_EXPORTER", "otlp").split(","):
        said = name.strip()
        if said == "otlp":
            default = environment.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
            protocol = environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", default)
            yield PROTOCOLS.get(protocol, protocol)
        elif said not in ("", "none"):
            yield said


def _traceparent(span: Span) -> str:
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, set_span_in_context(span, Context()))
    return carrier.get("traceparent", "")


def _tag(payload: Payload) -> str:
    """The tag of a command that starts a transaction."""
    token = payload.get("idToken")
    tag = payload.get("idTag") or (token.get("idToken") if isinstance(token, dict) else payload.get("tag"))
    return tag if isinstance(tag, str) else ""
