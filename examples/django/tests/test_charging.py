"""A driver charges: the charger, the gateway and this backend together."""

import pytest

from charging.models import Charger, Tag, Transaction, TransactionNumber

VERSIONS = ["1.6", "2.0.1", "2.1"]


@pytest.mark.parametrize("ocpp", VERSIONS)
def test_what_is_charged_is_shown_and_recorded(gateway, ocpp_charger, consume, operator, tag, ocpp):
    charger = ocpp_charger("charger-1", ocpp)
    assert charger.authorize(tag.value) == "Accepted"
    session = charger.start(tag.value, meter=1000)
    session.meter_values(3500, power_w=11_000, soc=42)
    consume()
    page = operator.get("/").content.decode()
    assert all(shown in page for shown in ("charger-1", tag.value, "2500 Wh", "11000 W", "42 %"))

    session.stop(6000)
    consume()
    assert "Nothing." in operator.get("/").content.decode()
    done = Transaction.objects.get()
    assert (done.charger.vendor, done.transaction_id, done.energy, done.reason) == ("Example", str(session.id), 5000, "Local")
    assert done.number == TransactionNumber.objects.get().pk
    assert done.started <= done.stopped


@pytest.mark.parametrize("ocpp", VERSIONS)
def test_a_blocked_tag_does_not_charge(gateway, ocpp_charger, consume, ocpp):
    Tag.objects.create(value="STOLEN", blocked=True)
    charger = ocpp_charger(ocpp=ocpp)
    assert charger.authorize("STOLEN") == ("Blocked")
    assert charger.start("STOLEN").status != "Accepted"
    consume()
    assert Transaction.objects.get().authorization != "Accepted"
    assert not TransactionNumber.objects.exists()


def test_a_charger_is_shown_as_connected_while_it_is(gateway, ocpp_charger, consume):
    charger = ocpp_charger("charger-1")
    consume()
    assert Charger.objects.get(pk="charger-1").connected
    charger.disconnect()
    gateway.wait_for("disconnect_charger")
    consume()
    assert not Charger.objects.get(pk="charger-1").connected
