"""What is told has no secrets, and is else what it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocpp_tw.concealed import concealed, id_told, mentioned, piece_concealed, text_concealed

SECRET = "00112233445566778899aabbccddeeff"
PEM = f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n-----END EC PRIVATE KEY-----"
PASSWORD = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}


@pytest.mark.parametrize(
    "told",
    [
        {"configurationKey": [{"key": "AuthorizationKey", "readonly": False, "value": SECRET}]},
        {"configurationKey": [{"key": "authorizationkey", "readonly": False, "Value": SECRET}]},
        {"configurationKey": [{"key": "Acme.Authorization_Key2", "readonly": False, "value": SECRET}]},
        {"configurationKey": [{"key": "VendorFTPPassword", "readonly": False, "value": SECRET}]},
        {"key": "AuthorizationKey", "value": SECRET},
        {"getVariableResult": [{"attributeStatus": "Accepted", "attributeValue": SECRET, **PASSWORD}]},
        {"setVariableData": [{"attributeValue": SECRET, **PASSWORD}]},
        {"setVariableResult": [{"attributeStatusInfo": {"reasonCode": "Bad", "additionalInfo": SECRET}, **PASSWORD}]},
        {"reportData": [{**PASSWORD, "variableAttribute": [{"type": "Actual", "value": SECRET, "mutability": "WriteOnly"}]}]},
        {"eventData": [{"eventId": 1, "actualValue": SECRET, **PASSWORD}]},
        {"reportData": [{"component": {"name": "C"}, "variable": {"name": "Password", "customData": {"vendorId": "v", "apiToken": SECRET}}}]},
        {"eventData": [{**PASSWORD, "component": {"name": "C", "customData": {"vendorId": "v", "password": SECRET}}}]},
        {"monitor": [{**PASSWORD, "component": {"name": "C", "customData": {"vendorId": "v", "note": f"password={SECRET}"}}}]},
        {"getVariableResult": [{**PASSWORD, "customData": {"vendorId": "v", "password": {"old": SECRET, "new": [SECRET]}}}]},
        {"setVariableResult": [{**PASSWORD, "customData": {"vendorId": "v", "vpn": {"server": "s", "key": SECRET}}}]},
        {"setVariableData": [{"component": f"//u:{SECRET}@h", "variable": "BasicAuthPassword"}]},
        {"configurationSlot": 1, "connectionData": {"securityProfile": 1, "basicAuthPassword": SECRET}},
        {"connectionData": {"vpn": {"server": "s", "key": SECRET}, "apn": {"simPin": int("1" * 32), "apnPassword": SECRET}}},
        {"data": json.dumps({"configurationKey": [{"key": "AuthorizationKey", "value": SECRET}]})},
        {"data": {"Authorization": f"Basic {SECRET}"}},
        {"data": f"Authorization: Bearer {SECRET}"},
        {"data": f'a {{"AuthorizationKey": "{SECRET}"'},
        {"data": f"Pass-Word: {SECRET}; private key={SECRET}"},
        {"data": f"SIM PIN={SECRET}"},
        {"data": json.dumps({"sim_pin": SECRET, "pass.phrase": [SECRET]})},
        {"data": PEM},
        {"data": PEM[:60]},
        {"location": f"ftp://user:{SECRET}@example.com/firmware"},
    ],
)  # fmt: skip
def test_a_secret_is_hidden_and_the_shape_is_kept(told):
    after = concealed(told)
    assert SECRET[:20] not in str(after) and "1" * 32 not in str(after) and "***" in str(after)
    assert shape(after) == shape(told) and mentioned(json.dumps(told))


def shape(value: Any) -> Any:
    """Names and lists, without what is in them."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else None


@pytest.mark.parametrize(
    "told",
    [
        {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}], "unknownKey": ["AuthorizationKey"]},
        {"configurationKey": [{"key": "AuthorizationKey", "readonly": False}, {"key": "AuthorizationKey", "value": ""}]},
        {"getVariableResult": [{"attributeStatus": "Accepted", "attributeValue": "1", "component": {"name": "C"}, "variable": {"name": "V"}}]},
        {"idToken": {"idToken": "RFID-1", "type": "ISO14443"}},
        {"data": "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"},
        {"data": '{"a": [1, 2]}', "more": [None, True, 1.5]},
        {"url": "https://example.com/a@b"},
    ],
)  # fmt: skip
def test_what_is_no_secret_is_told_as_it_is(told):
    assert concealed(told) is told


def test_a_piece_without_structure_is_hidden_as_a_whole():
    assert piece_concealed(f'[3,"1",{{"value":"{SECRET}","key":"AuthorizationKey"') == "***"
    assert piece_concealed('[2,"1","Heartbeat"') == '[2,"1","Heartbeat"'


@pytest.mark.parametrize("id", [f"Authorization: Basic {SECRET[:9]}", f"https://u:{SECRET[:9]}@h/", f"password={SECRET}", PEM, PEM[:40]])
def test_a_secret_in_a_message_id_is_hidden(id):
    assert "***" in id_told(id) and SECRET[:5] not in id_told(id)


@pytest.mark.parametrize(
    "id", ["6b1b0c9e-7f4f-4a43-9d9a-0d8f4f4cb6f1", 17, "1", "cp1:17", "2026-11-22T10:00:00Z", "cp 1/17@h", "secret", SECRET * 3]
)
def test_any_other_message_id_is_told_as_it_is(id):
    assert id_told(id) == str(id)


def test_a_text_that_does_not_end_is_gone_through_once():
    for piece in ("password=", 'password="', "-----BEGIN PRIVATE KEY-----", "//a:b", "authorization: basic "):
        assert isinstance(text_concealed(piece * 50_000), str)
