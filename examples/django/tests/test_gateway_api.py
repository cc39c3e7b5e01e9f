"""What the gateway is answered."""

from base64 import b64encode
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.utils import timezone

from charging.models import Tag

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(client, settings):
    """Asks as the gateway does."""
    shown = "Basic " + b64encode(f"gateway:{settings.OCPP_PASSWORD}".encode()).decode()

    def get(kind, tag, key=""):
        headers = {"Authorization": shown} | ({"Idempotency-Key": key} if key else {})
        return client.get(f"/api/{kind}/tag/{quote(tag, safe='')}/", {"charger": "charger-1", "connector": 1}, headers=headers)

    return get


@pytest.mark.parametrize(
    ("members", "status"),
    [({}, "Accepted"), ({"blocked": True}, "Blocked"), ({"expires": timezone.now() - timedelta(hours=1)}, "Expired")],
    ids=["good", "blocked", "expired"],
)
@pytest.mark.parametrize("value", ["RFID-1", "a/b c%?#"])
def test_a_tag_has_its_status(ask, value, members, status):
    Tag.objects.create(value=value, **members)
    answer = ask("authorize", value.upper())
    assert answer.json()["data"]["status"] == status


def test_a_tag_that_nobody_knows_is_not_found(ask):
    assert ask("authorize", "unknown").status_code == 404
    assert ask("transaction", "unknown", key="k").json() == {"status": False}


def test_one_start_gets_one_id_however_often_it_is_asked_for(ask, tag):
    first = ask("transaction", tag.value, key="a").json()["data"]["id"]
    tag.blocked = True
    tag.save()
    assert ask("transaction", tag.value, key="a").json()["data"]["id"] == first
    assert ask("transaction", tag.value, key="b").json() == {"status": False}
    tag.blocked = False
    tag.save()
    assert ask("transaction", tag.value, key="b").json()["data"]["id"] > first


def test_without_a_key_there_is_no_id(ask, tag):
    assert ask("transaction", tag.value).status_code == 400


@pytest.mark.parametrize("kind", ["authorize", "transaction"])
@pytest.mark.parametrize("header", [None, "Basic Z2F0ZXdheTp3cm9uZw=="])
def test_nobody_but_the_gateway_is_answered(client, tag, kind, header):
    headers = {"Authorization": header} if header else {}
    assert client.get(f"/api/{kind}/tag/{tag.value}/", headers=headers).status_code == 401
