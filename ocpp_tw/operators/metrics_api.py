"""`/metrics`, for Prometheus and whatever else reads its format.

Knows no metric.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from twisted.web.iweb import IRequest

from ..monitoring.metric_table import TYPE
from .described import described
from .serving import HttpAnswer, klein_app, run


class HasText(Protocol):
    """The metrics (`ocpp_tw.monitoring.metrics`)."""

    def text(self) -> Awaitable[bytes]:
        """All of them, now."""


class MetricsApi:
    """One for a gateway, or for a worker among several, of whose answers the front makes one (`ocpp_tw.operators.metrics_merge`)."""

    app = klein_app()
    prefixes: tuple[bytes, ...] = (b"/metrics",)

    def __init__(self, metrics: HasText) -> None:
        self._metrics = metrics

    @app.route("/metrics", methods=["GET"])
    @described({200: None}, media="text/plain")
    def metrics(self, request: IRequest) -> HttpAnswer:
        """All metrics."""
        request.setHeader(b"content-type", TYPE)
        return run(request, self._metrics.text())
