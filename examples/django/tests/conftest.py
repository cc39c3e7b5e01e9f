"""A gateway that asks this backend, and the events that it publishes."""

import pytest
from django.core.management import call_command

from charging.models import Tag


@pytest.fixture
def ocpp_gateway_settings(live_server, settings):
    """The gateway asks this backend about tags and transactions (`ocpp_tw.testing`)."""
    where = live_server.thread
    return {"base_url": f"http://gateway:{settings.OCPP_PASSWORD}@{where.host}:{where.port}", "authorize": "backend"}


@pytest.fixture
def gateway(ocpp_gateway, settings):
    """That gateway; this backend uses its Redis."""
    settings.OCPP_REDIS_URL = ocpp_gateway.redis
    return ocpp_gateway


@pytest.fixture
def consume(gateway):
    """Applies the events that there are."""
    return lambda: call_command("consume_events", once=True)


@pytest.fixture
def tag(db):
    """A tag that may charge."""
    return Tag.objects.create(value="RFID-12345", holder="Ada")


@pytest.fixture
def operator(admin_client):
    """A browser in which an operator has logged in."""
    return admin_client
