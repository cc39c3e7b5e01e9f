"""`ocpp_tw.testing.events` reads what the gateway publishes, member for member."""

from __future__ import annotations

import json

import msgspec
import pytest

from in_memory import START_1, in_memory, stop
from ocpp_tw.testing import events


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
def test_what_is_read_is_what_was_published(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    if ocpp == "1.6":
        id = cp.call("StartTransaction", START_1)["transactionId"]
        cp.call("StopTransaction", stop(id))
    else:
        event = {"eventType": "Started", "timestamp": "2026-11-23T08:00:00Z", "triggerReason": "CablePluggedIn", "seqNo": 0}
        sampled = [{"timestamp": "2026-11-23T08:00:00Z", "sampledValue": [{"value": 1.5, "unitOfMeasure": {"unit": "kWh"}}]}]
        cp.call("TransactionEvent", event | {"transactionInfo": {"transactionId": "t1"}, "meterValue": sampled})
        cp.call("NotifyEvent", {"generatedAt": "2026-11-23T08:00:00Z", "seqNo": 0, "eventData": []})
    cp.disconnect()
    assert len(here.store.events) >= 4
    for element in here.store.events:
        event = events.decode(element)
        assert type(event.data) is events.NAMES.get(event.event, events.Data)
        assert msgspec.to_builtins(event) == json.loads(element)


def test_data_of_an_event_is_matched_by_its_class():
    here = in_memory()
    here.connect().call("Authorize", {"idTag": "TAG"})
    match events.decode(here.store.events[-1]).data:
        case events.Authorize(charger=charger, tag=tag, status=status):
            assert (charger, tag, status) == ("cp1", "TAG", "Accepted")
        case other:
            pytest.fail(f"{other} is no Authorize")


def test_what_is_no_event_is_refused():
    with pytest.raises(msgspec.ValidationError, match="domain"):
        events.decode(b'{"event": "health"}')


def test_an_event_of_a_later_release_can_be_read():
    """It may have members, and be of a name, that this release does not know."""
    element = {
        "event": "health",
        "domain": "d",
        "data": {"charger": "c", "more": 1},
        "id": "i",
        "time": "t",
        "gateway": "g",
        "ocpp": "1.6",
        "new": 2,
        "seq": 3,
    }
    assert events.decode(json.dumps(element)).seq == 3
    assert events.decode(json.dumps(element | {"event": "unheard_of"})).data == events.Data("c")


def test_every_class_of_data_is_exported():
    assert {data.__name__ for data in events.NAMES.values()} <= set(events.__all__)
