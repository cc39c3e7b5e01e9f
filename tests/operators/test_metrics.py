"""`/metrics`: who may read it, and what the front of several workers makes of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.web.http_headers import Headers

from ocpp_tw.monitoring.metric_table import TYPE
from ocpp_tw.operators.merge import WorkerAnswer, WorkerEndpoint
from ocpp_tw.operators.metrics_api import MetricsApi
from ocpp_tw.operators.metrics_merge import WorkersMetrics
from ocpp_tw.operators.roles import Role, needed
from ocpp_tw.operators.tokens import new_token
from ocpp_tw.testing import InMemoryGateway
from operators_site import Site
from prometheus_text import Samples


class Pool:
    """Workers that are there."""

    stopping, complete = False, True

    def endpoints(self) -> list[WorkerEndpoint]:
        return []


class Workers:
    """The answers of workers, one after another, and what becomes of them."""

    def __init__(self) -> None:
        self.front = WorkersMetrics()

    def answer(self, **texts: str) -> Samples:
        answers = [(WorkerEndpoint(name, "", True), answered(text)) for name, text in texts.items()]
        return Samples(self.front.merge(answers, Pool()).body.decode())


def answered(text: str, status: int = 200) -> WorkerAnswer:
    return WorkerAnswer(status, Headers({b"content-type": [TYPE]}), text.encode())


def of_worker(started: float, heartbeats: int, lag: float = 0.0, unread: int = 0, redis: int = 1, online: int = 0) -> str:
    return f"""# TYPE ocpp_start_time_seconds gauge
ocpp_start_time_seconds {started}
# TYPE ocpp_messages_total counter
ocpp_messages_total{{action="Heartbeat",direction="in"}} {heartbeats}
# TYPE ocpp_chargers gauge
ocpp_chargers{{ocpp="1.6",state="online"}} {online}
# TYPE ocpp_loop_lag_seconds gauge
ocpp_loop_lag_seconds {lag}
# TYPE ocpp_redis_unread_events gauge
ocpp_redis_unread_events {unread}
# TYPE ocpp_redis_up gauge
ocpp_redis_up {redis}
# TYPE ocpp_answer_seconds histogram
ocpp_answer_seconds_bucket{{le="1.0"}} {heartbeats}
ocpp_answer_seconds_bucket{{le="+Inf"}} {heartbeats}
ocpp_answer_seconds_count {heartbeats}
ocpp_answer_seconds_sum {heartbeats / 2}
"""


def heartbeats(samples: Samples) -> float | None:
    return samples("ocpp_messages_total", action="Heartbeat", direction="in")


def test_counters_of_workers_are_added_and_of_gauges_those_that_are_of_one_thing_are_not():
    samples = Workers().answer(a=of_worker(1, 10, 0.5, 7, 1, 3), b=of_worker(2, 5, 0.1, 7, 0, 4))
    assert heartbeats(samples) == 15
    assert samples("ocpp_chargers", ocpp="1.6", state="online") == 7
    assert samples("ocpp_loop_lag_seconds") == 0.5 and samples("ocpp_redis_unread_events") == 7 and samples("ocpp_redis_up") == 0
    assert samples("ocpp_answer_seconds_bucket", le="1.0") == samples("ocpp_answer_seconds_count") == 15
    assert samples("ocpp_answer_seconds_sum") == 7.5
    assert samples("ocpp_start_time_seconds") == 2


def test_a_counter_does_not_fall_when_a_worker_ends_and_begins_again():
    workers = Workers()
    assert heartbeats(workers.answer(a=of_worker(1, 10), b=of_worker(1, 5))) == 15
    assert heartbeats(workers.answer(a=of_worker(1, 12))) == 17  # b does not answer
    assert heartbeats(workers.answer(a=of_worker(1, 12), b=of_worker(50, 0))) == 17  # it is another b
    assert heartbeats(workers.answer(a=of_worker(1, 12), b=of_worker(50, 7))) == 24  # also where it has counted more than the first
    assert heartbeats(workers.answer(a=of_worker(60, 1), b=of_worker(50, 7))) == 25


def test_a_counter_does_not_fall_when_an_older_answer_comes_after_a_newer_one():
    workers = Workers()
    workers.answer(a=of_worker(1, 10))
    assert heartbeats(workers.answer(a=of_worker(1, 8))) == 10


def test_chargers_of_a_worker_that_does_not_answer_are_not_counted():
    workers = Workers()
    workers.answer(a=of_worker(1, 0, online=3), b=of_worker(1, 0, online=4))
    assert workers.answer(a=of_worker(1, 0, online=3))("ocpp_chargers", ocpp="1.6", state="online") == 3


def test_a_refusal_by_one_worker_is_that_of_all():
    refusal = answered("no", 503)
    answers = [(WorkerEndpoint("a", "", True), answered(of_worker(1, 1))), (WorkerEndpoint("b", "", True), refusal)]
    assert WorkersMetrics().merge(answers, Pool()) is refusal


async def test_what_a_gateway_tells_can_be_merged_with_itself():
    gateway = InMemoryGateway()
    gateway.connect().call("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})
    text = (await gateway.application.metrics.text()).decode()
    one, two = Samples(text), Workers().answer(a=text, b=text)
    assert two.values.keys() == one.values.keys()
    for (name, labels), value in one.values.items():
        assert two.values[name, labels] in (value, 2 * value), name
    assert two("ocpp_workers") == 2 and two("ocpp_events_total", event="boot_notification") == 2


# who may read it


@pytest.mark.parametrize("path", [b"/metrics"])
def test_a_token_of_the_role_metrics_is_good_for_metrics_alone(path: bytes):
    assert needed(b"GET", path) == needed(b"HEAD", path) == Role.metrics < Role.read
    assert needed(b"POST", path) == Role.admin
    for other in (b"/metrics/", b"/%6detrics", b"/api/chargers", b"/api/overview", b"/"):
        assert needed(b"GET", other) == Role.read


class Told:
    """Metrics of a kind."""

    async def text(self) -> bytes:
        return b"# TYPE ocpp_workers gauge\nocpp_workers 1.0\n"


async def test_a_token_of_the_role_metrics_is_let_in_there_and_nowhere_else(tmp_path: Path):
    token, line = new_token("prometheus", Role.metrics)
    file = tmp_path / "tokens"
    file.write_text(line)
    file.chmod(0o600)
    site = Site(tokens=str(file), others=[MetricsApi(Told())])
    shown = {"authorization": f"Bearer {token}"}
    assert (await site.request("GET", "/metrics", **shown))[0] == 200
    refusal = {"detail": "This needs a token with the role read, and the role of prometheus is metrics"}
    assert await site.request("GET", "/api/chargers", **shown) == (403, refusal)
    assert (await site.request("POST", "/command/", {}, **shown))[0] == 403
    await site.close()


async def test_metrics_need_a_token_where_one_is_set_and_are_text():
    site = Site("s3cret", others=[MetricsApi(Told())])
    assert (await site.request("GET", "/metrics"))[0] == 401
    status, body = await site.request("GET", "/metrics", authorization="Bearer s3cret")
    assert (status, Samples(body)("ocpp_workers")) == (200, 1)
    assert site.headers.getRawHeaders("content-type") == [TYPE.decode()]
    assert (await site.request("POST", "/metrics", authorization="Bearer s3cret"))[0] == 405
    await site.close()
