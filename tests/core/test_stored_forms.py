"""What an earlier version has stored, in Redis, in the spool and in the journal, is still read, and is still written so.

All of it is literal: it was written by the version before the members of these records were renamed in Python.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest
from twisted.internet import reactor

from fleets import RedisFleet, soon
from ocpp_tw.core import provisional
from ocpp_tw.core.entries import Acknowledged, Entry, Put, Reply
from ocpp_tw.core.ledger import Ledger
from ocpp_tw.facts import Authorization
from ocpp_tw.ocpp.payload_json import digest
from ocpp_tw.redis import Keys
from ocpp_tw.redis.groups import Group, QueuedEntry, updates_of
from ocpp_tw.spool import Row, Spool
from ocpp_tw.testing import InMemoryGateway

RUNNING = (
    b'{"id":1000000007,"conn":1,"tag":"TAG1","meter_start":1000,"started":"2026-11-23T08:00:00Z",'
    b'"authorisation":{"status":"Accepted","expiry_date":"2027-01-01T00:00:00Z","parent_tag":"GROUP"},"provisional":true,"meter":1500}'
)
"""A transaction of OCPP 1.6 in the ledger."""

ENDED = (
    b'{"id":"tx-2","conn":2,"tag":"TAG2","meter_start":0,"started":"2026-11-23T09:00:00Z",'
    b'"authorisation":{"status":"Accepted","expiry_date":null,"parent_tag":null},'
    b'"end":{"meter_stop":4000,"timestamp":"2026-11-23T10:00:00Z","reason":"Local","tag":"TAG2"},'
    b'"meter":4000,"backend_id":77,"first":0,"last":3,"missing":[2]}'
)
"""A transaction of OCPP 2.0.1 in the ledger."""

DIGESTS_OF_FACTS = (
    b'{"id":"tx-3","conn":2,"tag":"TAG2","meter_start":0,"started":"2026-11-23T09:00:00Z","authorisation":{"status":"Accepted","expiry_date":null,'
    b'"parent_tag":null},"meter":4000,"first":0,"last":1,"recent":[0,1234567,1,7654321],"begun":1234567,"meter_seq":1}'
)
"""Another one, whose messages were known by digests of what was read of them."""

WITH_VERDICTS = (
    b'{"id":"tx-4","conn":2,"tag":"TAG2","meter_start":0,"started":"2026-11-23T09:00:00Z",'
    b'"authorisation":{"status":"Blocked","expiry_date":null,"parent_tag":null},"first":0,"last":1,"recent":[0,1234567,1,7654321],'
    b'"begun":1234567,"verdicts":[["TAG2","ISO14443",{"status":"Accepted","expiry_date":null,"parent_tag":"GROUP"}],'
    b'["","NoAuthorization",{"status":"Blocked","expiry_date":null,"parent_tag":null}]]}'
)
"""Another one, with what was said of its tokens."""

PROVISIONAL = (
    b'{"question":{"charger":"CP1","tag":"TAG1","conn":1,"key":"0123456789abcdef0123456789abcdef","asked":2,"kind":"ISO14443"},'
    b'"transaction_id":1000000007,"domain":"csms.example","ocpp":"ocpp1.6","since":1795420800.5}'
)
"""A provisional start."""

EVENT = b'{"event":"transaction_started","data":{"charger":"CP1"}}'

GROUP = (
    b"$1\r\n1\r\n$1\r\n1\r\n$2\r\n18\r\n$3\r\nCP1\r\n$56\r\n" + EVENT + b"\r\n"
    b'$5\r\nowned\r\n$10\r\n{"id":"1"}\r\n$1\r\n1\r\n$2\r\n14\r\n'
    b"$4\r\nkeep\r\n$21\r\nocpp:transactions:CP1\r\n$10\r\n1000000007\r\n$219\r\n" + RUNNING + b"\r\n"
    b"$4\r\nkeep\r\n$19\r\nocpp:provisional:gw\r\n$32\r\n0123456789abcdef0123456789abcdef\r\n$211\r\n" + PROVISIONAL + b"\r\n"
    b"$6\r\nforget\r\n$15\r\nocpp:record:CP1\r\n$4\r\nboot\r\n"
    b"$5\r\nreply\r\n$7\r\nreplies\r\n$3\r\nyes\r\n"
)
"""The data of a group in the spool; it has 1 event and 23 arguments."""

CHECKSUM = 1460994739

SCHEMA = """
CREATE TABLE groups (id INTEGER PRIMARY KEY AUTOINCREMENT, boot TEXT, number INTEGER, events INTEGER, arguments INTEGER, data BLOB, sum INTEGER);
CREATE TABLE kept (row INTEGER, shelf BLOB, name BLOB, value BLOB);
CREATE INDEX kept_by_shelf ON kept (shelf);
CREATE INDEX kept_by_row ON kept (row);
CREATE TABLE reserve (first INTEGER, count INTEGER);
"""

JOURNAL = (
    b"\x00\x00\x01\x1b\x92\x93\xc4\x15ocpp:transactions:CP1\xc4\n1000000007\xc4\xdb"
    + RUNNING
    + b"\x93\xc4\x0focpp:record:CP1\xc4\x04boot\xc0"
)
"""A record of the mirror's journal."""


def stored_spool(directory: Path) -> None:
    """A spool as an earlier version left it."""
    directory.mkdir(parents=True)
    db = sqlite3.connect(directory / "spool.db")
    db.execute("PRAGMA journal_mode=WAL")
    db.executescript(SCHEMA)
    db.execute("INSERT INTO groups VALUES (1, '00112233aabbccdd', 1, 1, 23, ?, ?)", (GROUP, CHECKSUM))
    updates = [(b"ocpp:transactions:CP1", b"1000000007", RUNNING), (b"ocpp:record:CP1", b"boot", None)]
    db.executemany("INSERT INTO kept VALUES (1, ?, ?, ?)", updates)
    db.execute("INSERT INTO reserve VALUES (1000000001, 500)")
    db.commit()
    db.close()
    (directory / "mirror.log").write_bytes(JOURNAL)


def test_a_transaction_in_the_ledger_is_read_and_written_with_its_old_member():
    ledger = Ledger([RUNNING, ENDED])
    running, ended = ledger.find(1000000007), ledger.find("tx-2")
    assert running.authorization == Authorization("Accepted", "2027-01-01T00:00:00Z", "GROUP")
    assert (running.provisional, running.meter, running.end) == (True, 1500, None)
    assert ended.authorization == Authorization() and ended.end.reason == "Local" and ended.gaps == [(2, 2)]
    assert msgspec.json.encode(running) == RUNNING


def test_the_verdicts_on_its_tokens_are_read_and_written_as_they_were():
    found = Ledger([WITH_VERDICTS]).find("tx-4")
    assert found.verdict_on("TAG2", "ISO14443") == Authorization("Accepted", parent_tag="GROUP")
    assert found.verdict_on("", "NoAuthorization") == Authorization("Blocked") and found.verdict_on("TAG2", "Central") is None
    assert msgspec.json.encode(found) == WITH_VERDICTS


def test_the_digest_of_a_message_is_that_of_earlier_releases():
    """It tells repeats of what an earlier release has published."""
    payload = {"seqNo": 3, "eventType": "Updated", "offline": True, "meterValue": [{"sampledValue": [{"value": 1.5, "context": "Ü"}]}]}
    assert digest(payload, without="offline") == 2222202610


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_a_transaction_whose_digests_are_of_another_kind_goes_on(ocpp):
    """A start that is repeated to the next release is told again, but the transaction that runs is not begun anew; nor is anything lost."""
    here = InMemoryGateway()
    here.store.tables["transactions", "cp1"]["tx-3"] = DIGESTS_OF_FACTS
    cp = here.connect(ocpp=ocpp)
    here.published()
    start = {
        "eventType": "Started", "timestamp": "2026-11-23T09:00:00Z", "triggerReason": "Authorized", "seqNo": 0,
        "transactionInfo": {"transactionId": "tx-3"}, "idToken": {"idToken": "TAG2", "type": "ISO14443"}, "evse": {"id": 2},
    }  # fmt: skip
    for _ in range(2):
        assert cp.call("TransactionEvent", start) == {"idTokenInfo": {"status": "Accepted"}}
    (told,) = here.published()
    assert told["event"] == "start_transaction" and told["conflict"]
    end = {"eventType": "Ended", "timestamp": "2026-11-23T10:00:00Z", "triggerReason": "EVDeparted", "seqNo": 2}
    cp.call("TransactionEvent", end | {"transactionInfo": {"transactionId": "tx-3"}})
    (told,) = here.published()
    assert told["data"]["energy_wh"] == 4000 and "conflict" not in told


def test_a_provisional_start_is_read_and_written_with_its_old_members():
    start = provisional.decode(PROVISIONAL)
    assert (start.query.evse, start.query.tag_type, start.query.key) == (2, "ISO14443", "0123456789abcdef0123456789abcdef")
    assert (start.transaction_id, start.since) == (1000000007, 1795420800.5)
    assert provisional.encode(start) == PROVISIONAL


def test_a_group_is_packed_as_before():
    effects = (
        Put("transactions", "1000000007", RUNNING),
        Put("provisional", "0123456789abcdef0123456789abcdef", PROVISIONAL, owner="gw"),
        Put("record", "boot", None),
        Acknowledged(b'{"id":"1"}'),
        Reply("replies", b"yes"),
    )
    keys = Keys("gw", incarnation="00112233aabbccdd")
    group = Group.load([QueuedEntry.of(Entry("CP1", EVENT, effects), keys, None, None)], keys, 1)
    assert (group.number, group.events, group.packed) == (1, 1, (23, GROUP))
    assert updates_of(1, 23, GROUP) == [
        (b"ocpp:transactions:CP1", b"1000000007", RUNNING),
        (b"ocpp:provisional:gw", b"0123456789abcdef0123456789abcdef", PROVISIONAL),
        (b"ocpp:record:CP1", b"boot", None),
    ]


async def test_a_spool_and_its_journal_are_read(tmp_path):
    stored_spool(tmp_path / "spool")
    spool = Spool(tmp_path / "spool", reactor, updates_of, 1 << 30)
    await spool.open()
    assert (spool.groups, spool.events, spool.trouble) == (1, 1, "")
    assert await soon(spool.read(0, 1000)) == [Row(1, "00112233aabbccdd", 1, 1, 23, GROUP)]
    assert await soon(spool.pending(b"ocpp:transactions:CP1")) == [(b"1000000007", RUNNING)]
    assert await soon(spool.mirrored(b"ocpp:transactions:CP1")) == {b"1000000007": RUNNING}
    assert await soon(spool.reserve()) == (1_000_000_001, 500)
    assert not list((tmp_path / "spool").glob("damaged-*"))
    await soon(spool.close())


async def test_a_mirror_with_a_row_for_each_field_is_read(tmp_path):
    db = sqlite3.connect(tmp_path / "mirror.db")
    db.execute("CREATE TABLE kept (shelf BLOB, name BLOB, value BLOB, PRIMARY KEY (shelf, name)) WITHOUT ROWID")
    rows = [(b"looked up", b"yes"), (b"registered", b"yes"), (b"password", b"stored")]
    db.executemany("INSERT INTO kept VALUES (?, ?, ?)", [(b"ocpp:record:CP1", *each) for each in rows])
    db.commit()
    db.close()
    spool = Spool(tmp_path, reactor, updates_of, 1 << 30)
    await spool.open()
    assert await soon(spool.mirrored(b"ocpp:record:CP1")) == dict(rows)
    await soon(spool.close())


async def test_a_spool_is_drained_to_redis(clean, tmp_path):
    stored_spool(tmp_path / "spool" / "gw")
    clean("RPUSH", "commands:processing:gw", b'{"id":"1"}')
    fleet = RedisFleet(clean, spool=str(tmp_path / "spool"))
    gateway = await fleet.gateway("gw")
    await soon(gateway.events.caught_up())
    assert clean("LRANGE", "events", 0, -1) == [EVENT[:-1] + b',"seq":1}']
    assert clean("HGETALL", "ocpp:transactions:CP1") == [b"1000000007", RUNNING]
    assert clean("HGETALL", "ocpp:provisional:gw") == [b"0123456789abcdef0123456789abcdef", PROVISIONAL]
    assert clean("GET", "ocpp:batch:00112233aabbccdd") == b"1"
    assert fleet.replies("replies") == [b"yes"] and fleet.processing("gw") == []
    await fleet.close()
