"""Remote starts and stops, from the page to the charger and back."""

import pytest

from charging.models import Charger, Command, Transaction
from ocpp_tw.testing import events


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
def test_an_operator_starts_and_stops_a_charger(gateway, ocpp_charger, consume, operator, tag, ocpp):
    charger = ocpp_charger("charger-1", ocpp)
    consume()
    page = operator.post("/start/", {"charger": "charger-1", "connector": 1, "tag": tag.pk}, follow=True)
    assert "charger-1 is asked to start." in page.content.decode()
    if ocpp == "1.6":
        asked = charger.wait_for("RemoteStartTransaction")
        session = charger.start(asked["idTag"], asked["connectorId"])
    else:
        asked = charger.wait_for("RequestStartTransaction")
        session = charger.start(asked["idToken"]["idToken"], asked["evseId"], remote_start_id=asked["remoteStartId"])
    gateway.wait_for(events.CommandResult, outcome="result")
    consume()
    assert Command.objects.get().status == "Accepted"

    running = Transaction.objects.get(stopped=None)
    operator.post(f"/stop/{running.pk}/")
    asked = charger.wait_for("RemoteStopTransaction" if ocpp == "1.6" else "RequestStopTransaction")
    assert asked["transactionId"] == session.id
    session.stop(reason="Remote")
    gateway.wait_for(events.CommandResult, outcome="result")
    consume()
    assert not Transaction.objects.filter(stopped=None).exists()
    assert [command.outcome for command in Command.objects.all()] == ["result", "result"]


def test_what_the_charger_says_to_it_is_shown(gateway, ocpp_charger, consume, operator, tag):
    ocpp_charger("charger-1").answer("RemoteStartTransaction", {"status": "Rejected"})
    consume()
    operator.post("/start/", {"charger": "charger-1", "connector": 1, "tag": tag.pk})
    gateway.wait_for("command_result")
    consume()
    assert "remote_start_transaction to charger-1: result Rejected" in operator.get("/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_command_that_cannot_be_sent_is_shown(operator, settings, tag):
    settings.OCPP_REDIS_URL = "unix:///nowhere/redis.sock"
    Charger.objects.create(identity="charger-1", connected=True)
    operator.post("/start/", {"charger": "charger-1", "connector": 1, "tag": tag.pk})
    assert "remote_start_transaction to charger-1: not sent" in operator.get("/").content.decode()


@pytest.mark.django_db
def test_only_who_may_give_commands_can(client, django_user_model, tag):
    charger = Charger.objects.create(identity="charger-1", connected=True)
    running = Transaction.objects.create(charger=charger, transaction_id="1")
    form = {"charger": "charger-1", "connector": 1, "tag": tag.pk}
    for path, data in (("/", None), ("/start/", form), (f"/stop/{running.pk}/", {})):
        answer = client.get(path) if data is None else client.post(path, data)
        assert answer.status_code == 302 and answer.url.startswith("/admin/login/")
    client.force_login(django_user_model.objects.create_user("reader"))
    assert client.get("/").status_code == 200
    assert client.post("/start/", form).status_code == 403
    assert client.post(f"/stop/{running.pk}/").status_code == 403
    assert not Command.objects.exists()
