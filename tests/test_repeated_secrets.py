"""What a request has of secrets is known, so that it can be hidden where its answer repeats it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocpp_tw.repeated_secrets import MOST, hidden, secrets_in

BEGIN, END = "-----BEGIN EC PRIVATE KEY-----", "-----END EC PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ({"key": "WifiPassword", "value": "MARK1"}, {"MARK1"}),
        ({"key": "HeartbeatInterval", "value": "MARK1"}, set()),
        ({"connectionData": {"apn": {"simPin": 4711, "apnPassword": "MARK1"}, "vpn": {"key": "MARK2"}}}, {"4711", "MARK1", "MARK2"}),
        ({"data": {"sim_pin": "MARK1", "pass-phrase": ["MARK2", {"more": "MARK3"}]}}, {"MARK1", "MARK2", "MARK3"}),
        ({"location": "ftp://user:MARK1@host/f"}, {"MARK1"}),
        ({"data": "Authorization: Basic MARK1; password = 'MARK2'"}, {"MARK1", "MARK2"}),
        ({"data": json.dumps({"wifi": {"password": "MARK1"}, "url": "//u:MARK2@h"})}, {"MARK1", "MARK2"}),
        ({"key": "WifiPassword", "value": json.dumps({"psk": "MARK1"})}, {'{"psk": "MARK1"}', "MARK1"}),
        ({"password": "abc", "apiToken": None, "secret": True, "VpnKey": "true"}, set()),
        ({"key": "Pem", "data": f"{BEGIN}\nMARK1\n{END}"}, {f"{BEGIN}\nMARK1\n{END}", "MARK1"}),
        ({"password": "line 1\nline 2", "secret": "a"}, {"line 1\nline 2"}),
    ],
)
def test_what_is_blanked_in_a_request_is_found(payload, found):
    assert set(secrets_in(payload)) == found


def test_a_secret_that_has_another_in_it_is_hidden_whole():
    secrets = secrets_in({"password": "MARK", "secret": "MARKMARK2"})
    told: Any = hidden({"a": "is MARKMARK2", "MARK": [4711, "MARK", None, True]}, [*secrets, "4711"])
    assert told == {"a": "is ***", "***": ["***", "***", None, True]}


def test_there_are_no_more_of_them_than_can_be_looked_for():
    assert len(secrets_in([{"password": f"MARK{number}"} for number in range(MOST * 2)])) == MOST
