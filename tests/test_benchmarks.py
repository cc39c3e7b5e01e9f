"""The benchmarks measure what they claim: valid messages, answered and published; and their tables are written to the right place."""

from __future__ import annotations

import importlib
import json
import shutil
import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from certificates import Made
from fleets import PATIENCE, free_port
from ocpp_tw.ocpp import schemas

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Benchmarks are programs that import each other from their own directory."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module
    for each in set(sys.modules) - before:
        if Path(getattr(sys.modules[each], "__file__", None) or "/").parent == BENCHMARKS:
            del sys.modules[each]


def test_the_messages_are_a_charging_cycle_of_valid_calls(modules):
    messages = modules("messages")
    tails = (*messages.cycle(7, 3, 12345), messages.BOOT, messages.meter(1, 1), messages.meter(1, 160))
    calls = [json.loads(b'[2,"00000001' + tail) for tail in tails]
    for _, _, action, payload in calls:
        assert schemas.load("v16").request(action, payload) == [], action
    actions = [call[2] for call in calls[:20]]
    counts = {"MeterValues": 10, "Heartbeat": 4, "StatusNotification": 4, "StartTransaction": 1, "StopTransaction": 1}
    assert {action: actions.count(action) for action in actions} == counts
    assert 600 < len(messages.meter(12345)) < 720
    assert len(calls[-1][3]["meterValue"][0]["sampledValue"]) == 160


def test_the_starts_of_one_run_are_no_repeats_of_those_of_the_run_before(modules, monkeypatch):
    messages, runs = modules("messages"), []
    for now in (1_000_000.0, 1_000_002.0):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        script = importlib.reload(messages).script(0)
        next(script)
        runs.append(int(script.send(b"").partition(b'"meterStart":')[2].partition(b",")[0]))
    assert runs[1] - runs[0] == 200  # more than there are cycles in two seconds


@pytest.mark.parametrize("folder", ["v201", "v21"])
def test_the_messages_of_2x_are_the_same_charging_cycle(modules, folder):
    messages, newer = modules("messages"), modules("messages_2x")
    tails = (*newer.cycle(7, "the-third"), newer.BOOT, newer.updated("the-third", 1, 1), newer.updated("the-third", 2, 160))
    calls = [json.loads(b'[2,"00000001' + tail) for tail in tails]
    for _, _, action, payload in calls:
        assert schemas.load(folder).request(action, payload) == [], action
    actions = [call[2] for call in calls[:20]]
    assert {action: actions.count(action) for action in actions} == {"TransactionEvent": 12, "Heartbeat": 4, "StatusNotification": 4}
    transaction = [call[3] for call in calls[:20] if call[2] == "TransactionEvent"]
    assert [each["eventType"] for each in transaction] == ["Started", *["Updated"] * 10, "Ended"]
    assert [each["seqNo"] for each in transaction] == list(range(12))
    assert {each["transactionInfo"]["transactionId"] for each in transaction} == {"the-third"}
    assert len(calls[-1][3]["meterValue"][0]["sampledValue"]) == 160
    # the values are those of 1.6, so that the versions are compared and not their meters
    older = json.loads(b'[2,"00000001' + messages.meter(1))[3]["meterValue"][0]["sampledValue"]
    assert [(each["measurand"], float(each["value"]), each.get("phase"), each["unit"]) for each in older] == [
        (each["measurand"], each["value"], each.get("phase"), each["unitOfMeasure"]["unit"])
        for each in transaction[3]["meterValue"][0]["sampledValue"]
    ]


def test_a_charger_speaks_on_with_the_transaction_that_it_was_given(modules):
    said = modules("messages").script(2)
    texts = [next(said), *(said.send(b"") for _ in range(3))]
    assert [text.split(b'"')[2] for text in texts] == [b"BootNotification", b"Heartbeat", b"Heartbeat", b"StartTransaction"]
    answer = b'[3,"00000004",{"transactionId":77,"idTagInfo":{"status":"Accepted"}}]'
    texts = [said.send(answer), *(said.send(b"[3,1,{}]") for _ in range(19))]
    assert all(b'"transactionId":77' in text for text in texts if b"MeterValues" in text or b"StopTransaction" in text)
    assert b"StartTransaction" in texts[-1], "and begins again after 20 CALLs"


def test_a_charger_of_2x_never_repeats_a_transaction_or_a_number(modules):
    newer = modules("messages_2x")
    for samples in (0, 40):
        said, seen = newer.script(1, samples), []
        next(said)
        for _ in range(100):
            text = said.send(b"{}")
            if b"TransactionEvent" in text:
                payload = json.loads(b'[2,"00000001' + text)[3]
                seen.append((payload["transactionInfo"]["transactionId"], payload["seqNo"]))
        assert len(seen) > 50 and len(set(seen)) == len(seen)
        assert all(number == last + 1 or number == 0 for (_, last), (_, number) in pairwise(seen))


def load(*options: Any) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "load.py"), *map(str, options)], capture_output=True, text=True, timeout=3 * PATIENCE, check=True
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def node_packages(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The directory with what the peer on Node needs."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys, pathlib, node_packages; print(node_packages.install(pathlib.Path(sys.argv[1])).about)",
         directory := str(tmp_path_factory.mktemp("node"))],
        cwd=BENCHMARKS, capture_output=True, text=True, check=True,
    )  # fmt: skip
    if not done.stdout.startswith("The peer on Node"):
        pytest.skip(done.stdout)
    return directory


def test_without_node_the_reader_is_told_why_there_is_no_such_peer(modules, monkeypatch, tmp_path):
    packages = modules("node_packages")
    monkeypatch.setenv("PATH", str(tmp_path))
    told = packages.install(tmp_path / "node")
    assert told.directory is None and told.about == "No peer on Node: there is no `node` on this machine."


@pytest.mark.skipif(not shutil.which("npm"), reason="needs npm")
def test_if_npm_fails_the_reader_is_told_why_there_is_no_such_peer(modules, tmp_path):
    told = modules("node_packages").install(tmp_path / "node", (f"file:{tmp_path}/nothing",))
    assert told.directory is None and told.about.startswith("No peer on Node: npm did not install file:"), told
    assert "ENOENT" in told.about


@linux
@pytest.mark.live
def test_connections_are_measured_until_redis_knows_that_all_have_left(modules):
    with modules("servers").Bench() as bench:
        measuring = modules("measuring").Measuring(bench, quick=True, descriptors=100)
        name, figures = measuring.connections(bench.gateway, 20)
        assert name == "ocpp_tw" and measuring.left() == 20
        assert 5 < figures["leaving us"] < 20_000 and 0 < figures["leaving seconds"] < PATIENCE
        assert 5 < figures["us"] < 50_000 and 0 < figures["seconds"] < PATIENCE
        name, figures = measuring.connections(bench.raw, 20)
        assert name == "raw Twisted echo" and 1 < figures["leaving us"] < 20_000 and figures["leaving seconds"] == 0


def test_what_is_compared_is_the_median_of_the_rounds_own_ratios(modules):
    rounds = modules("measuring").Rounds()
    rounds.each = [{"one": {"us": one}, "other": {"us": other}} for one, other in ((10.0, 5.0), (40.0, 10.0), (36.0, 12.0))]
    assert (rounds.of("one"), rounds.of("other"), rounds.ratio("one", "other")) == (36, 10, 3)


def test_the_table_of_versions_compares_within_the_rounds(modules):
    made, rounds = modules("message_tables"), modules("measuring").Rounds()
    costs = {made.RAW: 10, made.ECHO: 20, made.OURS: 30, made.PEER: 300}
    newer = {made.RAW: 12, made.OURS: 48, made.PEER: 600}
    named = {**costs, **{f"{name}, 2.0.1": us for name, us in newer.items()}, f"{made.OURS}, 2.1": 60}
    # a machine that is twice as slow in one round, and ten times in another, changes no ratio
    rounds.each = [{name: {"us": us * slower, "valkey": 7.0} for name, us in named.items()} for slower in (1, 10, 2)]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in made.versions(rounds).splitlines()]
    assert cells[0] == ["cycle of OCPP", "bytes", "CPU µs/message", "x raw", "x 1.6", "Valkey's µs", "ocpp x raw", "x ocpp_tw"]
    assert [line[:1] + line[2:] for line in cells[2:]] == [
        ["1.6", "60.0", "3.00", "1.00", "7.00", "30.0", "10.0"],
        ["2.0.1", "96.0", "4.00", "1.60", "7.00", "50.0", "12.5"],
        ["2.1", "120", "5.00", "2.00", "7.00", "-", "-"],
    ]
    assert 300 < float(cells[2][1]) < float(cells[3][1]) < 600


def test_the_price_of_monitoring_is_the_median_of_all_pairs(modules):
    made, rounds = modules("message_tables"), modules("measuring").Rounds()
    # of three pairs one is a process that happens to be slow, and one round is of a machine that is
    costs = {
        f"{made.OURS} 0": 33,
        f"{made.PLAIN} 0": 30,
        f"{made.OURS} 1": 44,
        f"{made.PLAIN} 1": 40,
        f"{made.OURS} 2": 30,
        f"{made.PLAIN} 2": 40,
    }
    named = {**costs, **{f"{name}, 2.0.1": 2 * us for name, us in costs.items()}}
    rounds.each = [{name: {"us": us * slower} for name, us in named.items()} for slower in (1, 1, 10)]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in made.price_of_monitoring(rounds, 3).splitlines()]
    assert cells[2:] == [
        ["1.6", "44.0", "40.0", "3.00", "1.10", "0.75", "1.10"],
        ["2.0.1", "88.0", "80.0", "6.00", "1.10", "0.75", "1.10"],
    ]


@linux
@pytest.mark.live
@pytest.mark.parametrize(
    ("which", "version"),
    [
        ("gateway", "1.6"),
        ("gateway", "2.0.1"),
        ("gateway", "2.1"),
        ("gateway over TLS", "1.6"),
        ("peer", "1.6"),
        ("peer", "2.0.1"),
        ("peer", "2.1"),
        ("peer on Node", "1.6"),
        ("peer on Node", "2.0.1"),
    ],
)
def test_every_answer_that_is_counted_is_an_event(which, version, request, clean, tmp_path):
    """The comparison is fair only if the peers do the same work as the gateway."""
    tls = Made().write(tmp_path / "tls.pem") if "TLS" in which else ""
    if which == "peer on Node":
        packages = request.getfixturevalue("node_packages")
        process = subprocess.Popen(["node", str(BENCHMARKS / "peer.mjs"), packages, str(port := free_port()), str(clean.port)])
    elif which != "peer":
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "twistd"), "--pidfile=", "-n", "ocpp", "--port", f"127.0.0.1:{(port := free_port())}",
             "--http", "127.0.0.1:0", "--redis", clean.url, "--tls", tls],
            cwd=tmp_path, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    else:
        process = subprocess.Popen([sys.executable, str(BENCHMARKS / "peer.py"), str(port := free_port()), str(clean.port)])
    try:
        wait_for(port)
        options = ["--ocpp", version, *(["--tls"] if tls else []), f"--pid=server={process.pid}"]
        report = load("ocpp", port, "--chargers", 10, "--seconds", 0.5, "--warm", 0.2, "--hold", 0.1, *options)
        wait_for_events(clean, "disconnect_charger", 10)
    finally:
        process.terminate()
        process.wait(PATIENCE)
    assert report["arrivals"]["count"] == 10 and report["calls"]["count"] > 100
    events = [json.loads(each)["event"] for each in clean("LRANGE", "events", 0, -1)]
    assert events.count("boot_notification") == events.count("connect_charger") == events.count("disconnect_charger") == 10
    assert "message_refused" not in events
    assert len(events) >= 10 + report["calls"]["count"] and {"health", "meter_value", "start_transaction", "stop_transaction"} <= set(
        events
    )
    assert 5 < report["calls"]["us"]["server"] < 20_000 and report["memory"][1] >= report["memory"][0] > 10_000
    assert 0 < report["calls"]["p50"] <= report["calls"]["p99"] < 5000


@linux
@pytest.mark.live
@pytest.mark.parametrize(("kind", "tls"), [("raw", False), ("websocket", False), ("websocket", True)])
def test_the_echo_servers_echo_at_the_requested_rate(kind, tls, tmp_path):
    certificate, option = ([Made().write(tmp_path / "tls.pem")], ["--tls"]) if tls else ([], [])
    process = subprocess.Popen([sys.executable, str(BENCHMARKS / "echo_servers.py"), kind, str(port := free_port()), *certificate])
    try:
        wait_for(port)
        report = load(kind, port, "--chargers", 10, "--seconds", 1, "--rate", 200, *option, f"--pid=server={process.pid}")
    finally:
        process.kill()
        process.wait()
    assert 150 < report["calls"]["count"] < 250


def wait_for_events(redis: Any, name: str, count: int) -> None:
    for _ in range(int(PATIENCE / 0.1)):
        if sum(json.loads(each)["event"] == name for each in redis("LRANGE", "events", 0, -1)) >= count:
            return
        time.sleep(0.1)
    raise AssertionError(f"fewer than {count} times {name}")


def wait_for(port: int) -> None:
    for _ in range(int(PATIENCE / 0.1)):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nothing listens at port {port}")


@linux
@pytest.mark.live
def test_the_profile_shows_the_functions_in_which_a_message_spends_time():
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "profile_gateway.py"), "--chargers", "50", "--seconds", "3"],
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "µs of CPU per message, 50 chargers" in done.stdout
    for line in ("| ocpp_tw ", "| twisted ", "| ocpp_tw.ocpp.frames ", "ocpp_tw.ocpp.frames: parse"):
        assert f"\n{line}" in done.stdout, done.stdout


def test_the_tables_replace_those_of_the_last_run(modules, tmp_path):
    tables = modules("tables")
    table = tables.table(["a", "long header"], [["x", "1"], ["longer", "22"]])
    assert table.splitlines() == [
        "| a      | long header |",
        "| ------ | ----------: |",
        "| x      |           1 |",
        "| longer |          22 |",
    ]
    document = tmp_path / "x.md"
    document.write_text("before\n<!-- bench -->\n<!-- bench end -->\nafter\n")
    for text in ("one", table):
        tables.write(document, text)
        assert document.read_text() == f"before\n<!-- bench -->\n\n{text}\n\n<!-- bench end -->\nafter\n"
    document.write_text("nothing")
    with pytest.raises(SystemExit):
        tables.write(document, table)
    assert [tables.number(each) for each in (1234.5, 99.94, 9.994, None)] == ["1,234", "99.9", "9.99", "-"]


def test_the_document_has_the_last_result():
    document = (ROOT / "docs" / "performance.md").read_text()
    result = document.partition("<!-- bench -->")[2].partition("<!-- bench end -->")[0]
    for part in ("raw Twisted echo", "Autobahn echo", "ocpp on websockets", "at once", "samples", "workers", "cores of ", "Python 3."):
        assert part in result, part
