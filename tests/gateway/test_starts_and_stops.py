"""Transactions: every start gets its id once, every stop its energy (OCPP 1.6 §4.8, §4.10)."""

from __future__ import annotations

import re

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from in_memory import START_1, in_memory, stop
from ocpp_tw.backend.http import HttpBackend
from ocpp_tw.backend.static import StaticBackend
from ocpp_tw.core.ledger import OPEN
from ocpp_tw.facts import Authorization
from ocpp_tw.gateway.breaker import COOL_DOWN, FAILURES
from ocpp_tw.interfaces import BackendFailed
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway


def test_a_start_gets_a_positive_id_and_a_stop_its_energy():
    """T1, T3."""
    here = in_memory()
    cp = here.connect()
    answer = cp.call("StartTransaction", START_1 | {"reservationId": 3})
    assert answer["idTagInfo"] == {"status": "Accepted"} and 0 < answer["transactionId"] < 2**31
    started = here.published()[-1]
    assert started["data"] == {
        "charger": "cp1", "conn": 1, "tag": "TAG1", "meter_start": 1000, "transaction_id": answer["transactionId"],
        "timestamp": "2026-11-23T08:00:00Z", "reservation_id": 3, "status": "Accepted",
        "backend_id": None,
    }  # fmt: skip
    assert cp.call("StopTransaction", stop(answer["transactionId"], idTag="TAG1")) == {"idTagInfo": {"status": "Accepted"}}
    stopped = here.published()[-1]["data"]
    assert stopped == {
        "charger": "cp1", "transaction_id": answer["transactionId"], "reason": "Local", "meter_stop": 4000, "tag": "TAG1",
        "timestamp": "2026-11-23T09:00:00Z", "energy_wh": 3000, "duration_s": 3600, "match": "exact",
        "matched_id": answer["transactionId"], "backend_id": None,
    }  # fmt: skip


def test_the_same_start_under_a_new_message_id_is_the_same_transaction():
    """T4, FIELD 5: MicroOcpp and EVerest repeat under a new id."""
    here = in_memory()
    cp = here.connect()
    first = cp.call("StartTransaction", START_1)
    assert cp.call("StartTransaction", START_1) == first
    assert here.published_names().count("start_transaction") == 1


def test_it_is_known_again_on_another_connection_and_after_a_restart():
    """T4 over a crash between the event and the answer."""
    here = in_memory()
    first = here.connect().call("StartTransaction", START_1)
    again = InMemoryGateway(store=here.store)
    assert again.connect().call("StartTransaction", START_1) == first
    assert here.published_names().count("start_transaction") == 1


def test_a_repeat_is_not_answered_before_the_first_is_safe():
    here = in_memory()
    cp = here.connect()
    cp.call("StopTransaction", stop(1))  # opens the ledger
    here.events.paused = True
    cp.send_call("StartTransaction", START_1)
    cp.send_call("StartTransaction", START_1)
    assert cp.frames() == []
    here.events.resume()
    assert len({frame[2]["transactionId"] for frame in cp.frames()}) == 1


def test_another_start_is_another_transaction():
    cp = in_memory().connect()
    ids = {cp.call("StartTransaction", START_1 | {"connectorId": n})["transactionId"] for n in range(1, 6)}
    assert len(ids) == 5


def test_ids_are_unique_over_gateways_and_restarts():
    here = in_memory()
    ids = [InMemoryGateway(store=here.store).connect(f"cp{n}").call("StartTransaction", START_1)["transactionId"] for n in range(5)]
    assert len(set(ids)) == 5


def test_the_same_stop_again_is_answered_and_told_once():
    """T5, FIELD 6."""
    here = in_memory()
    cp = here.connect()
    id = cp.call("StartTransaction", START_1)["transactionId"]
    cp.call("StopTransaction", stop(id))
    here.published()
    cp.call("StopTransaction", stop(id))
    assert here.published() == []


def test_a_differing_second_stop_is_told_as_a_duplicate():
    """T5: stop twice."""
    here = in_memory()
    cp = here.connect()
    id = cp.call("StartTransaction", START_1)["transactionId"]
    cp.call("StopTransaction", stop(id))
    cp.call("StopTransaction", stop(id, meter=5000))
    event = here.published()[-1]
    assert event["event"] == "stop_transaction" and event["duplicate"] is True and event["data"]["meter_stop"] == 5000


def test_a_stop_without_a_start_is_accepted_and_told():
    """T5, T3: -1 means that the start was never delivered."""
    here = in_memory()
    cp = here.connect()
    for id in (-1, 0, 4711):
        assert cp.call("StopTransaction", stop(id)) == {}
        data = here.published()[-1]["data"]
        assert (data["transaction_id"], data["match"], data["energy_wh"]) == (id, "none", None)


def test_an_unknown_stop_is_matched_with_the_only_open_transaction():
    """FIELD 8: and ends it, for its readings and for the next start too."""
    here = in_memory()
    cp = here.connect()
    id = cp.call("StartTransaction", START_1)["transactionId"]
    cp.call("StopTransaction", stop(-1, transactionData=[{"timestamp": "2026-11-23T09:00:00Z", "sampledValue": [{"value": "4000"}]}]))
    readings, stopped = (event["data"] for event in here.published()[-2:])
    assert (stopped["match"], stopped["matched_id"], stopped["energy_wh"]) == ("by_connector", id, 3000)
    assert (readings["conn"], readings["transaction_id"]) == (1, -1)
    cp.call("StopTransaction", stop(-1, time="2026-11-23T10:00:00Z"))
    assert here.published()[-1]["data"]["match"] == "none"


@pytest.mark.parametrize("starts", [0, 1, 2])
def test_a_stop_of_an_unknown_start_is_told_once_however_often_it_is_sent(starts):
    """T5, FIELD 6, R5: its answer was lost, and the charger repeats it on its next connection, maybe to another gateway."""
    here = in_memory()
    cp = here.connect()
    for conn in range(starts):
        cp.call("StartTransaction", START_1 | {"connectorId": conn + 1})
    first = cp.call("StopTransaction", stop(-1, idTag="TAG1"))
    assert here.published_names().count("stop_transaction") == 1
    assert cp.call("StopTransaction", stop(-1, idTag="TAG1")) == first
    again = InMemoryGateway(store=here.store).connect()
    assert again.call("StopTransaction", stop(-1, idTag="TAG1")) == first
    assert "stop_transaction" not in here.published_names()


@pytest.mark.parametrize(("verdict", "status"), [("Blocked", "Blocked"), ("NoCredit", "Invalid"), ("Accepted", "Accepted")])
def test_a_stop_of_1_6_says_of_its_tag_what_authorize_says(verdict, status):
    """1.6 §4.10, §3.5.1: the charger may cache it."""
    backend = StaticBackend({"TAG1": 7}, {"TAG1": Authorization(), "OTHER": Authorization(verdict)})
    here = InMemoryGateway(Settings(name="gw", base_url="http://b", authorize="backend"), backend=backend)
    cp = here.connect()
    id = cp.call("StartTransaction", START_1)["transactionId"]
    said = cp.call("Authorize", {"idTag": "OTHER"})
    assert cp.call("StopTransaction", stop(id, idTag="OTHER")) == said == {"idTagInfo": {"status": status}}
    assert here.published()[-1]["data"]["match"] == "exact"


def test_a_stop_of_1_6_is_answered_without_its_tag_while_the_backend_is_away():
    """T2, 1.6 §4.10: idTagInfo is optional; nobody vouches for a tag that was not verified."""
    backend = StaticBackend({"TAG1": 7}, {"TAG1": Authorization()})
    here = InMemoryGateway(Settings(name="gw", base_url="http://b", authorize="backend"), backend=backend)
    cp = here.connect()
    id = cp.call("StartTransaction", START_1)["transactionId"]
    backend.fail()
    assert cp.call("StopTransaction", stop(id, idTag="OTHER")) == {}
    assert here.published()[-1]["event"] == "stop_transaction"


def test_a_stop_of_another_chargers_transaction_counts_for_nothing():
    """T6, A6."""
    here = in_memory()
    mine, other = here.connect("cp1"), here.connect("cp2")
    id = mine.call("StartTransaction", START_1)["transactionId"]
    assert other.call("StopTransaction", stop(id)) == {}
    assert here.published()[-1]["data"]["match"] == "none"
    mine.call("StopTransaction", stop(id))
    assert here.published()[-1]["data"]["match"] == "exact"


def test_the_readings_of_a_stop_are_told_as_meter_values_first():
    here = in_memory()
    cp = here.connect()
    id = cp.call("StartTransaction", START_1)["transactionId"]
    here.published()
    data = [{"timestamp": "t", "sampledValue": [{"value": "4000", "context": "Transaction.End"}]}]
    cp.call("StopTransaction", stop(id, transactionData=data))
    metered, stopped = here.published()
    assert (metered["event"], metered["data"]["conn"], metered["data"]["transaction_id"]) == ("meter_value", 1, id)
    assert stopped["event"] == "stop_transaction" and metered["id"] != stopped["id"]


def slowed(here):
    """Ledgers open when the test says so: what waits for them, and what there is to be told."""
    opening, known = [], here.records.transactions

    def slow(charger):
        opening.append(Deferred())
        return opening[-1]

    here.records.transactions = slow
    return opening, known


def test_a_stop_that_is_decided_on_after_its_connection_has_ended_is_told_with_its_repeat_only():
    """The charger was not answered, and has it still."""
    here = in_memory()
    id = here.connect().call("StartTransaction", START_1)["transactionId"]
    here = InMemoryGateway(store=here.store)
    opening, known = slowed(here)
    first = here.connect()
    first.send_call("StopTransaction", stop(id))
    first.disconnect()
    second = here.connect()
    second.send_call("StopTransaction", stop(id))
    for each in opening:
        known("cp1").addCallback(each.callback)
    assert first.frames() == [] and [frame[0] for frame in second.frames()] == [3]
    assert here.published_names().count("stop_transaction") == 1


def test_a_start_that_waits_for_the_ledger_on_two_connections_is_one_start():
    """With Redis away that takes a while, and chargers do not wait for ever."""
    here = in_memory()
    opening, known = slowed(here)
    first = here.connect()
    first.send_call("StartTransaction", START_1)
    second = here.handshake()
    here.gateway.arrived(second.charger)
    second.send_call("StartTransaction", START_1)  # it has taken over; the first is not to be answered any more
    third = here.handshake()
    third.charger.serve(first.charger.record)
    third.send_call("StartTransaction", START_1)  # one that nobody has told of the others' end
    assert len(opening) == 1
    known("cp1").addCallback(opening[0].callback)
    answers = [frame[2]["transactionId"] for guest in (second, third) for frame in guest.frames()]
    assert first.frames() == [] and len(answers) == 2 and len(set(answers)) == 1
    assert here.published_names().count("start_transaction") == 1


def test_old_messages_are_served_as_ordinary_ones():
    """T7: never rejected for age or future."""
    here = in_memory()
    cp = here.connect()
    for time in ("1970-01-01T00:00:00Z", "2099-01-01T00:00:00+03:00", "2020-01-01T00:00:00", "yesterday"):
        assert cp.call("StartTransaction", START_1 | {"timestamp": time})["idTagInfo"]["status"] == "Accepted"


def test_the_running_transaction_knows_its_latest_reading():
    here = in_memory()
    cp = here.connect()
    id = cp.call("StartTransaction", START_1)["transactionId"]
    value = [{"timestamp": "t", "sampledValue": [{"value": "2.5", "unit": "kWh"}]}]
    cp.call("MeterValues", {"connectorId": 1, "transactionId": id, "meterValue": value})
    assert cp.charger.ledger.find(id).meter == 2500


class Backend:
    """A backend that says what a test wants."""

    def __init__(self, id=None, authorization=None, fails=False):
        self.id, self.authorization, self.fails, self.asked = id, authorization or Authorization(), fails, []

    async def transaction(self, tag, charger, connector, key=""):
        self.asked.append((tag, charger, connector))
        if self.fails:
            raise BackendFailed("down")
        return self.id

    async def authorize(self, tag, charger, connector, kind=""):
        if self.fails:
            raise BackendFailed("down")
        return self.authorization


def with_backend(backend, **settings):
    return InMemoryGateway(Settings(name="gw", base_url="http://b", **settings), backend=backend)


def test_the_backend_gives_the_id():
    backend = Backend(id=123)
    here = with_backend(backend)
    cp = here.connect()
    assert cp.call("StartTransaction", START_1)["transactionId"] == 123
    assert cp.call("StartTransaction", START_1)["transactionId"] == 123
    assert backend.asked == [("TAG1", "cp1", 1)]  # T4: one backend call


def test_a_tag_without_a_transaction_is_invalid_and_still_gets_an_id():
    """CONTRACT 3, FIELD 8, 31."""
    answer = with_backend(Backend(id=None)).connect().call("StartTransaction", START_1)
    assert answer["idTagInfo"]["status"] == "Invalid" and answer["transactionId"] > 0


def test_without_the_backend_the_charge_goes_on_provisionally():
    """F19, FIELD 10."""
    here = with_backend(Backend(fails=True))
    answer = here.connect().call("StartTransaction", START_1)
    assert answer["idTagInfo"]["status"] == "Accepted" and answer["transactionId"] > 10**9
    assert here.published()[-1]["provisional"] is True


def test_or_is_denied_where_the_operator_wants_that():
    answer = with_backend(Backend(fails=True), backend_policy="deny").connect().call("StartTransaction", START_1)
    assert answer["idTagInfo"]["status"] == "Invalid" and answer["transactionId"] > 0


def test_the_backend_decides_on_tags_where_it_is_asked_to():
    """T14: the parent tag is handed on."""
    backend = Backend(id=5, authorization=Authorization("Blocked", "2027-01-01T00:00:00Z", "GROUP"))
    cp = with_backend(backend, authorize="backend").connect()
    told = {"status": "Blocked", "expiryDate": "2027-01-01T00:00:00Z", "parentIdTag": "GROUP"}
    assert cp.call("Authorize", {"idTag": "TAG1"}) == {"idTagInfo": told}
    assert cp.call("StartTransaction", START_1) == {"transactionId": 5, "idTagInfo": told}


def test_by_default_everybody_may_charge():
    here = with_backend(Backend(id=5, authorization=Authorization("Blocked")))
    assert here.connect().call("Authorize", {"idTag": "TAG1"}) == {"idTagInfo": {"status": "Accepted"}}
    assert here.published()[-1]["data"] == {"charger": "cp1", "tag": "TAG1", "status": "Accepted"}


def test_a_start_whose_charger_left_meanwhile_is_told_and_known_again():
    """FIELD 'the lost answer': the charger repeats it on its next connection."""
    waiting: Deferred[int] = Deferred()

    class Slow(Backend):
        def transaction(self, tag, charger, connector, key=""):
            self.asked.append(tag)
            return waiting

    backend = Slow()
    here = with_backend(backend)
    cp = here.connect()
    cp.send_call("StartTransaction", START_1)
    cp.disconnect()
    waiting.callback(77)
    again = here.connect()
    assert again.call("StartTransaction", START_1)["transactionId"] == 77
    assert backend.asked == ["TAG1"] and here.published_names().count("start_transaction") == 1


def test_a_start_that_is_repeated_over_a_new_connection_while_the_backend_thinks_is_one_start():
    """T4, F11: one question, one event, one id; and the rest of what the new connection says does not wait."""
    backend = StaticBackend({"TAG1": 77})
    here = with_backend(backend)
    cp = here.connect()
    backend.hang()
    cp.send_call("StartTransaction", START_1)
    cp.disconnect()
    again = here.connect()
    again.call("Heartbeat")
    again.send_call("StartTransaction", START_1)
    assert again.frames() == []
    backend.recover()
    assert [frame[2]["transactionId"] for frame in again.frames()] == [77]
    assert len(backend.asked) == 1 and here.published_names().count("start_transaction") == 1
    again.call("StopTransaction", stop(77))
    assert here.published()[-1]["data"]["match"] == "exact"


def test_another_start_does_not_wait_for_it():
    backend = StaticBackend({"TAG1": 77, "TAG2": 78})
    here = with_backend(backend)
    cp = here.connect()
    backend.hang()
    cp.send_call("StartTransaction", START_1)
    cp.disconnect()
    again = here.connect()
    again.send_call("StartTransaction", START_1 | {"connectorId": 2, "idTag": "TAG2"})
    assert len(backend.asked) == 2
    backend.recover()
    assert [frame[2]["transactionId"] for frame in again.frames()] == [78]
    assert again.call("StartTransaction", START_1)["transactionId"] == 77
    assert here.published_names().count("start_transaction") == 2


def test_a_repeat_of_a_start_that_failed_meanwhile_is_told_once():
    """F19: it has been given a provisional id then."""
    backend = StaticBackend()
    here = with_backend(backend)
    cp = here.connect()
    backend.hang()
    cp.send_call("StartTransaction", START_1)
    cp.disconnect()
    again = here.connect()
    again.send_call("StartTransaction", START_1)
    backend.fail()
    (frame,) = again.frames()
    assert frame[2]["transactionId"] > 10**9
    assert len(backend.asked) == 1 and here.published_names().count("start_transaction") == 1


def test_a_repeat_that_the_charger_no_longer_waits_for_leaves_nothing_behind():
    backend = StaticBackend({"TAG1": 77})
    here = with_backend(backend)
    backend.hang()
    guests = [here.connect() for _ in range(3)]
    for each in guests:
        each.send_call("StartTransaction", START_1)
        each.disconnect()
    backend.recover()
    assert here.connect().call("StartTransaction", START_1)["transactionId"] == 77
    assert len(backend.asked) == 1 and here.published_names().count("start_transaction") == 1
    assert here.clock.getDelayedCalls() == []


def test_a_start_has_a_key_that_it_keeps():
    """F20: for the charger's own repeats under whatever message id, and after a restart; nothing else has the same."""
    keys = []
    for start in (START_1, START_1, START_1 | {"connectorId": 2}, START_1 | {"meterStart": 1}, START_1 | {"timestamp": "x"}):
        backend = StaticBackend({"TAG1": 77})
        with_backend(backend).connect().call("StartTransaction", start)
        keys.append(backend.asked[0][4])
    backend = StaticBackend({"TAG1": 77})
    with_backend(backend).connect("cp2").call("StartTransaction", START_1)
    assert keys[0] == keys[1] and len({*keys, backend.asked[0][4]}) == 5
    assert all(re.fullmatch(r"[0-9a-f]{32}", key) for key in keys)


def test_both_questions_are_asked_at_once():
    """F19: so that a start takes no longer than one of them."""
    backend = StaticBackend({"TAG1": 7}, {"TAG1": Authorization()})
    cp = with_backend(backend, authorize="backend").connect()
    backend.hang()
    cp.send_call("StartTransaction", START_1)
    assert [asked[0] for asked in backend.asked] == ["authorize", "transaction"]
    backend.recover()
    assert cp.frames()[0][2] == {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}


def test_the_first_start_after_an_outage_is_no_provisional_one():
    """F20: its two questions find out that the backend is back."""
    backend = StaticBackend({"TAG1": 7}, {"TAG1": Authorization()})
    here = with_backend(backend, authorize="backend")
    cp = here.connect()
    backend.fail()
    for n in range(FAILURES):
        cp.call("StartTransaction", START_1 | {"meterStart": n})
    backend.recover()
    here.clock.advance(COOL_DOWN)
    assert cp.call("StartTransaction", START_1 | {"meterStart": 100})["transactionId"] == 7


class Half(StaticBackend):
    """A backend that is of use for one kind of question only."""

    def __init__(self, fails: str, status: str = "Accepted", id: int | None = 7) -> None:
        super().__init__({} if id is None else {"TAG1": id}, {"TAG1": Authorization(status, parent_tag="family")})
        self.fails = fails

    def transaction(self, *question):
        return fail(BackendFailed("down")) if self.fails == "transaction" else super().transaction(*question)

    def authorize(self, *question):
        return fail(BackendFailed("down")) if self.fails == "authorize" else super().authorize(*question)


@pytest.mark.parametrize(
    ("backend", "policy", "status", "provisional"),
    [
        (Half("transaction"), "provisional", "Accepted", True),
        (Half("transaction", "Blocked"), "provisional", "Blocked", True),
        (Half("transaction", "Blocked"), "deny", "Blocked", True),
        (Half("transaction"), "deny", "Invalid", True),
        (Half("authorize"), "provisional", "Accepted", False),
        (Half("authorize"), "deny", "Invalid", False),
        (Half("authorize", id=None), "provisional", "Invalid", False),
    ],
)
def test_what_half_a_backend_says_holds(backend, policy, status, provisional):
    """F19: nobody whom it has blocked may charge because another of its answers did not come."""
    here = with_backend(backend, authorize="backend", backend_policy=policy)
    answer = here.connect().call("StartTransaction", START_1)
    assert answer["idTagInfo"]["status"] == status
    assert ("parentIdTag" in answer["idTagInfo"]) == (backend.fails == "transaction" and status != "Invalid")
    assert (answer["transactionId"] > 10**9) == (backend.fails == "transaction" or backend.transactions == {})
    event = here.published()[-1]
    assert event["event"] == "start_transaction" and event.get("provisional", False) is provisional


def test_an_id_that_another_transaction_runs_under_is_not_given_again():
    """F19, FIELD 31: a backend that gives one id to two. The second goes on under another, and both are told."""
    here = with_backend(StaticBackend({"TAG1": 7}))
    cp = here.connect()
    first = cp.call("StartTransaction", START_1)["transactionId"]
    answer = cp.call("StartTransaction", START_1 | {"connectorId": 2})
    assert first == 7 and answer["transactionId"] > 10**9 and answer["idTagInfo"]["status"] == "Accepted"
    event = here.published()[-1]
    assert (event["data"]["transaction_id"], event["data"]["backend_id"]) == (answer["transactionId"], 7)
    assert "provisional" not in event and here.store.tables["provisional", "gw"] == {}
    assert cp.call("StartTransaction", START_1 | {"connectorId": 2}) == answer
    assert cp.call("StartTransaction", START_1)["transactionId"] == 7
    cp.call("StopTransaction", stop(answer["transactionId"]))
    data = here.published()[-1]["data"]
    assert (data["match"], data["backend_id"]) == ("exact", 7)
    cp.call("StopTransaction", stop(7))
    assert here.published()[-1]["data"]["backend_id"] is None


def test_an_id_whose_transaction_has_ended_may_come_again():
    """The backend knows best: it may take the two for one."""
    here = with_backend(StaticBackend({"TAG1": 7}))
    cp = here.connect()
    cp.call("StartTransaction", START_1)
    cp.call("StopTransaction", stop(7))
    assert cp.call("StartTransaction", START_1 | {"meterStart": 4000})["transactionId"] == 7


def test_one_id_on_two_chargers_is_the_backends_business():
    here = with_backend(StaticBackend({"TAG1": 7}))
    assert [here.connect(f"cp{n}").call("StartTransaction", START_1)["transactionId"] for n in range(2)] == [7, 7]


class Silent:
    """An HTTP client whose requests are never answered."""

    def __init__(self) -> None:
        self.open = self.peak = self.sent = 0

    def request(self, *_: object, **__: object) -> Deferred[object]:
        self.sent += 1
        self.open += 1
        self.peak = max(self.peak, self.open)

        def cancelled(_: object) -> None:
            self.open -= 1

        return Deferred(cancelled)


@pytest.mark.parametrize("authorize", ["accept", "backend"])
def test_hundreds_of_chargers_wait_no_longer_than_one_for_a_backend_that_hangs(authorize):
    """F19: three seconds for whoever is asked about, nothing at all for the rest; and whoever asks nothing of it never notices."""
    clock, client = Clock(), Silent()
    backend = HttpBackend("http://b", clock, 3.0, 64, client)
    here = InMemoryGateway(Settings(name="gw", base_url="http://b", authorize=authorize), backend=backend, clock=clock)
    guests = [here.connect(f"cp{n}") for n in range(300)]
    for each in guests:
        each.send_call("StartTransaction", START_1)
    other = here.connect("other")
    other.call("Heartbeat")
    other.call("MeterValues", {"connectorId": 1, "meterValue": [{"timestamp": "t", "sampledValue": [{"value": "1"}]}]})
    clock.advance(2.9)
    assert not any(each.frames() for each in guests)
    clock.advance(0.2)
    ids = {each.frames()[0][2]["transactionId"] for each in guests}
    assert len(ids) == 300 and min(ids) > 10**9
    assert client.peak == 64 and client.open == 0
    sent = client.sent
    assert other.call("StartTransaction", START_1)["idTagInfo"] == {"status": "Accepted"}  # at once: the breaker is open
    assert client.sent == sent and clock.getDelayedCalls() == []


def test_energy_is_unknown_when_the_meter_ran_backwards():
    here = in_memory()
    cp = here.connect()
    id = cp.call("StartTransaction", START_1)["transactionId"]
    cp.call("StopTransaction", stop(id, meter=10))
    assert here.published()[-1]["data"]["energy_wh"] is None


def test_a_charger_that_only_starts_does_not_fill_the_memory():
    """A21."""
    here = in_memory()
    cp = here.connect()
    for n in range(OPEN + 50):
        cp.send_call("StartTransaction", START_1 | {"meterStart": n})
    assert len(cp.charger.ledger.running) == OPEN
    assert len(here.store.tables["transactions", "cp1"]) == OPEN
