"""Every metric of `/metrics`: its name, its labels, what it means, and what becomes of it where several workers are one gateway.

A table and no more: the documents have it from here, and the dashboard and the alerts are checked against it. None has a label whose
values chargers, operators or backends make up, so their number is bounded.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

TYPE = b"text/plain; version=0.0.4; charset=utf-8"
"""The content type of the text that Prometheus reads."""


class Metric(NamedTuple):
    """``workers`` is how the values of several workers become one: a list in Redis has one length, whoever tells it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()
    workers: Literal["sum", "max", "min"] = "sum"


METRICS = (
    Metric("ocpp_build_info", "gauge", "1; its labels say what runs; `compiled` is `yes` or `no`", ("version", "python", "compiled"), "max"),
    Metric("ocpp_start_time_seconds", "gauge", "When the gateway was started, in Unix time; of workers the last one", (), "max"),
    Metric("ocpp_workers", "gauge", "Processes that serve chargers"),
    Metric("ocpp_chargers", "gauge", "Connected chargers, by state: unresponsive, silent, faulted, charging, online; the first that applies", ("state", "ocpp")),
    Metric("ocpp_power_watts", "gauge", "Power of all running transactions, as far as chargers tell it"),
    Metric("ocpp_messages_total", "counter", "CALLs (in 2.1 SENDs, too): direction `in` of chargers, `out` to them; an action that OCPP does not know is `other`", ("direction", "action")),
    Metric("ocpp_events_total", "counter", "Events published, by name", ("event",)),
    Metric("ocpp_commands_total", "counter", "Commands that have ended here, by outcome", ("outcome",)),
    Metric("ocpp_handshakes_refused_total", "counter", "Handshakes refused, by HTTP status: 401 are wrong credentials", ("status",)),
    Metric("ocpp_answer_seconds", "histogram", "From a charger's CALL to its answer; under load not of every CALL, but of the next one after each that was timed"),
    Metric("ocpp_command_seconds", "histogram", "From sending a command to the charger's answer"),
    Metric("ocpp_redis_up", "gauge", "Whether Redis takes events: 1 or 0", (), "min"),
    Metric("ocpp_redis_write_seconds", "histogram", "From sending a group of events to Redis to its reply, durability included"),
    Metric("ocpp_redis_group_entries", "histogram", "Entries of the groups that are written, to Redis or to the spool"),
    Metric("ocpp_redis_unread_events", "gauge", "Events that wait in Redis for the backend, at the last look; absent while it is not known", (), "max"),
    Metric("ocpp_waiting_entries", "gauge", "Entries that are durable nowhere yet, in memory"),
    Metric("ocpp_waiting_bytes", "gauge", "Bytes of the events among them"),
    Metric("ocpp_overloaded", "gauge", "1 while nobody is served, since events can be made durable nowhere, else 0", (), "max"),
    Metric("ocpp_spool_groups", "gauge", "Groups that wait in the spool for Redis"),
    Metric("ocpp_spool_events", "gauge", "Events that wait in the spool for Redis"),
    Metric("ocpp_spool_bytes", "gauge", "Size of the spool's files; it stays for a while when they are empty"),
    Metric("ocpp_spool_up", "gauge", "Whether the disk takes what is to be spooled: 1 or 0; absent without a spool", (), "min"),
    Metric("ocpp_backend_up", "gauge", "0 while the backend has failed five times in a row, else 1; absent without a backend", (), "min"),
    Metric("ocpp_backend_request_seconds", "histogram", "Requests to the backend, those without a usable answer included", ("question",)),
    Metric("ocpp_backend_failures_total", "counter", "Questions without a usable answer: it `failed`, or was `not_asked` since it had failed before", ("question", "reason")),
    Metric("ocpp_loop_lag_seconds", "gauge", "How late the event loop was, at worst in the last ten seconds", (), "max"),
    Metric("ocpp_certificate_expiry_timestamp_seconds", "gauge", "When the certificate shown to chargers or operators expires, in Unix time; of several the first", ("clients",), "min"),
    Metric("process_cpu_seconds_total", "counter", "CPU time of the gateway's processes"),
    Metric("process_resident_memory_bytes", "gauge", "Memory of the gateway's processes"),
    Metric("process_virtual_memory_bytes", "gauge", "Their address space"),
    Metric("process_open_fds", "gauge", "Their open file descriptors"),
    Metric("process_max_fds", "gauge", "How many they may have"),
    Metric("process_start_time_seconds", "gauge", "When the process was started, in Unix time; of workers the last one", (), "max"),
)  # fmt: skip
"""Those that begin with ``process_`` are what processes are commonly measured by; where the system does not tell, they are absent."""

BY_NAME = {each.name: each for each in METRICS}
