"""The spool's file: what was said to be in it is, whatever happens to the process, the disk and the bytes on it (F17, F18)."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_twisted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet import reactor

from fleets import soon
from ocpp_tw.spool import Spool, SpoolUnusable, conditional
from ocpp_tw.spool.file import SpoolFile
from support.faulty_disk import FaultyDisk

ROOT = Path(__file__).parents[2]


def nothing(events: int, arguments: int, data: bytes) -> list:
    return []


def updates(events: int, arguments: int, data: bytes) -> list:
    """Groups of these tests put what they are in a table."""
    return [(b"table", b"name", data[:10]), (b"table", data[:2], None)]


def opened(directory: Path, updates_of=nothing, limit: int = 1 << 30) -> SpoolFile:
    file = SpoolFile(directory, updates_of, limit)
    file.open()
    return file


def filled(directory: Path, count: int, size: int = 300, deleted: int = 0) -> list[bytes]:
    """A spool of that many groups, as a killed process leaves it; what is in them."""
    live = directory.with_name(directory.name + "-live")
    file, random_ = opened(live), random.Random(count)
    datas = [random_.randbytes(random_.randrange(1, size)) for _ in range(count)]
    for n, data in enumerate(datas):
        file.append("boot", n + 1, 1, 2, data)
    if deleted:
        file.delete(deleted)
    directory.mkdir(exist_ok=True)
    for name in ("spool.db", "spool.db-wal"):
        shutil.copy(live / name, directory / name)
    file.close()
    return datas[deleted:]


def modes(directory: Path) -> dict[str, int]:
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in [directory, *directory.iterdir()]}


async def test_only_its_user_can_read_it(tmp_path):
    """HOSTILE F20: tags, and the keys in commands' payloads; also what an earlier version has left."""
    directory = tmp_path / "spool"
    for _ in range(2):
        spool = Spool(directory, reactor, nothing, 1 << 30)
        await soon(spool.open())
        await soon(spool.append("boot", 1, 1, 2, b"data"))
        spool.remember([(b"table", b"name", b"value")])
        spool.mirror()
        await soon(spool.mirrored(b"table"))
        found = modes(directory)
        assert {"spool.db", "spool.db-wal", "mirror.db", "lock"} <= set(found)
        assert found.pop("spool") == 0o700 and set(found.values()) == {0o600}
        await soon(spool.close())
        (directory / "damaged-1-0.db").touch()
        for each in directory.iterdir():
            each.chmod(0o644)
        directory.chmod(0o755)


def checkpointed(directory: Path) -> None:
    """All of it in the one file."""
    db = sqlite3.connect(directory / "spool.db")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def read(file: SpoolFile) -> list[bytes]:
    rows, after = [], 0
    while found := file.read(after, 1000):
        rows += found
        after = found[-1].id
    return [each.data for each in rows]


def survived(directory: Path):
    """What can be read of a damaged spool, what was said of the damage, and the file."""
    file = SpoolFile(directory, nothing, 1 << 30)
    _, _, damage = file.open()
    try:
        return read(file), damage, file
    except sqlite3.DatabaseError:
        damage = file.renew()
        return read(file), damage, file


@pytest_twisted.async_yield_fixture
async def spool(tmp_path):
    made = Spool(tmp_path / "spool", reactor, updates, 1 << 30)
    await made.open()
    yield made
    await made.close()


async def test_groups_are_read_as_they_were_added_and_in_order(spool):
    for n in range(5):
        await soon(spool.append("boot", n, 2, 3, b"%d" % n))
    assert (spool.groups, spool.events) == (5, 10)
    assert [row[1:] for row in await soon(spool.read(0, 100))] == [("boot", n, 2, 3, b"%d" % n) for n in range(5)]


async def test_one_read_is_of_one_incarnation_and_of_a_bounded_number_of_events(spool):
    for n, incarnation in enumerate(["old", "old", "old", "new"]):
        await soon(spool.append(incarnation, n, 40, 3, b"%d" % n))
    first = await soon(spool.read(0, 100))
    second = await soon(spool.read(first[-1].id, 100))
    third = await soon(spool.read(second[-1].id, 100))
    assert [[row.number for row in each] for each in (first, second, third)] == [[0, 1], [2], [3]]
    assert [row.number for row in await soon(spool.read(0, 1))] == [0]


async def test_what_is_deleted_is_gone_and_so_are_its_table_updates(spool):
    for n in range(4):
        await soon(spool.append("boot", n, 1, 3, b"%d-data" % n))
    assert (await soon(spool.pending(b"table")))[-2:] == [(b"name", b"3-data"), (b"3-", None)]
    rows = await soon(spool.read(0, 3))
    spool.delete(rows)
    assert [row.number for row in await soon(spool.read(0, 100))] == [3]
    assert (await soon(spool.pending(b"table"))) == [(b"name", b"3-data"), (b"3-", None)]
    assert (spool.groups, spool.events) == (1, 1)


async def test_transaction_ids_are_put_by_and_taken(spool):
    assert await soon(spool.reserve()) is None
    await soon(spool.put_by((1_000_000_001, 500)))
    assert await soon(spool.reserve()) == (1_000_000_001, 500)
    await soon(spool.put_by(None))
    assert await soon(spool.reserve()) is None


async def test_the_mirror_has_what_stands_last(spool):
    spool.remember([(b"a", b"1", b"one"), (b"a", b"2", b"two"), (b"b", b"1", b"other")])
    spool.remember([(b"a", b"1", b"uno"), (b"a", b"2", None)])
    assert await soon(spool.mirrored(b"a")) == {b"1": b"uno"}
    assert await soon(spool.mirrored(b"c")) == {}


async def test_the_mirror_has_what_depends_on_a_table_unless_that_was_read_again_and_is_another(spool):
    spool.copy_table(b"a", {b"password": b"one"})
    spool.copy_table(b"b", {b"password": b"one"})
    swap = {table: conditional(table, {b"password": b"one", b"sent": b""}, [(table, b"password", b"two")]) for table in (b"a", b"b", b"c")}
    spool.copy_table(b"b", {b"password": b"operator's"})
    spool.remember([(b"c", b"password", b"one")])
    await soon(spool.mirrored(b"c"))
    for each in swap.values():
        spool.remember(each)
    assert await soon(spool.mirrored(b"a")) == {b"password": b"two"}
    assert await soon(spool.mirrored(b"b")) == {b"password": b"operator's"}
    assert await soon(spool.mirrored(b"c")) == {b"password": b"two"}
    spool.remember([(b"c", b"password", b"one"), (b"c", b"sent", b"x"), *swap[b"c"]])
    assert await soon(spool.mirrored(b"c")) == {b"password": b"one", b"sent": b"x"}
    spool.remember([(b"c", b"sent", None), *swap[b"c"], (b"c", b"sent", b"y")])
    assert await soon(spool.mirrored(b"c")) == {b"password": b"two", b"sent": b"y"}


async def test_the_mirror_keeps_what_the_disk_does_not_take_until_it_does(tmp_path):
    disk = FaultyDisk()
    spool = Spool(tmp_path, reactor, nothing, 1 << 30, disk.connect)
    await spool.open()
    spool.remember([(b"a", b"1", b"one"), (b"a", b"2", b"two")])
    assert await soon(spool.mirrored(b"a")) == {b"1": b"one", b"2": b"two"}
    disk.full = True
    spool.remember([(b"a", b"2", None), (b"a", b"3", b"three")])
    assert await soon(spool.mirrored(b"a")) == {b"3": b"three"}
    disk.full = False
    spool.remember([(b"a", b"4", b"four")])
    await soon(spool.close())
    spool = Spool(tmp_path, reactor, nothing, 1 << 30)
    await spool.open()
    assert await soon(spool.mirrored(b"a")) == {b"1": b"one", b"3": b"three", b"4": b"four"}
    await soon(spool.close())


async def reopened(spool: Spool, directory) -> Spool:
    await soon(spool.close())
    spool = Spool(directory, reactor, nothing, 1 << 30)
    await spool.open()
    return spool


@pytest.mark.parametrize("at_once", [True, False], ids=["in one write", "in several"])
async def test_a_table_that_was_read_as_a_whole_is_what_it_was_then_with_what_has_changed_since(tmp_path, at_once):
    spool = Spool(tmp_path, reactor, nothing, 1 << 30)
    await spool.open()

    async def written() -> None:
        if not at_once:
            await soon(spool.mirrored(b"a"))

    spool.remember([(b"a", b"1", b"earlier"), (b"a", b"2", b"earlier"), (b"b", b"1", b"other")])
    await written()
    spool.copy_table(b"a", {b"1": b"one", b"3": b"three", b"4": b"four"})
    await written()
    spool.remember([(b"a", b"3", None), (b"a", b"4", b"later"), (b"a", b"5", b"five")])
    await written()
    spool = await reopened(spool, tmp_path)
    assert await soon(spool.mirrored(b"a")) == {b"1": b"one", b"4": b"later", b"5": b"five"}
    spool.remember([(b"a", b"3", b"again")])
    await written()
    assert (await soon(spool.mirrored(b"a")))[b"3"] == b"again"
    spool.copy_table(b"a", {b"3": b"read"})
    await written()
    spool = await reopened(spool, tmp_path)
    assert await soon(spool.mirrored(b"a")) == {b"3": b"read"}
    spool.copy_table(b"a", {})
    await written()
    spool = await reopened(spool, tmp_path)
    assert await soon(spool.mirrored(b"a")) == {}
    assert await soon(spool.mirrored(b"b")) == {b"1": b"other"}
    await soon(spool.close())


async def test_a_table_that_was_read_while_the_disk_was_full_is_mirrored_once_it_is_not(tmp_path):
    disk = FaultyDisk()
    spool = Spool(tmp_path, reactor, nothing, 1 << 30, disk.connect)
    await spool.open()
    spool.copy_table(b"a", {b"1": b"one", b"2": b"two"})
    await soon(spool.mirrored(b"a"))
    disk.full = True
    spool.copy_table(b"a", {b"2": b"read", b"4": b"four"})
    assert await soon(spool.mirrored(b"a")) == {b"2": b"read", b"4": b"four"}
    spool.copy_table(b"a", {b"2": b"read"})
    assert await soon(spool.mirrored(b"a")) == {b"2": b"read"}
    spool.remember([(b"a", b"2", None), (b"a", b"3", b"three")])
    assert await soon(spool.mirrored(b"a")) == {b"3": b"three"}
    disk.full = False
    spool.remember([(b"b", b"1", b"other")])
    spool = await reopened(spool, tmp_path)
    assert await soon(spool.mirrored(b"a")) == {b"3": b"three"}
    await soon(spool.close())


async def test_what_is_in_the_journal_outlives_a_kill_before_it_is_mirrored(tmp_path):
    """The next run finds it in the journal, the end of which may be missing."""
    spool = Spool(tmp_path / "live", reactor, nothing, 1 << 30)
    await spool.open()
    spool.remember([(b"a", b"1", b"one"), (b"a", b"2", b"two")])
    spool.mirror()
    await soon(spool.mirrored(b"a"))
    spool.remember([(b"a", b"1", None)])
    spool.remember([(b"a", b"3", b"three")])
    shutil.copytree(tmp_path / "live", tmp_path / "killed")
    await soon(spool.close())
    with (tmp_path / "killed" / "mirror.log").open("ab") as journal:
        journal.write(b"\0\0\1\0half")
    spool = Spool(tmp_path / "killed", reactor, nothing, 1 << 30)
    await spool.open()
    assert not (tmp_path / "killed" / "mirror.log").exists()
    assert await soon(spool.mirrored(b"a")) == {b"2": b"two", b"3": b"three"}
    await soon(spool.close())


async def test_the_journal_does_not_grow(tmp_path):
    spool = Spool(tmp_path, reactor, nothing, 1 << 30)
    await spool.open()
    for n in range(50):
        spool.remember([(b"a", b"%d" % n, bytes(1000))])
        spool.mirror()
        await soon(spool.reserve())
    assert sum(each.stat().st_size for each in tmp_path.glob("mirror.[lo]*")) < 5000
    assert len(await soon(spool.mirrored(b"a"))) == 50
    await soon(spool.close())


async def test_it_is_found_again_by_the_next_process(tmp_path):
    for n in range(3):
        spool = Spool(tmp_path, reactor, nothing, 1 << 30)
        await spool.open()
        assert spool.groups == n
        await soon(spool.append("boot", n, 1, 3, b"x"))
        await soon(spool.close())


async def test_two_gateways_cannot_have_one_spool(tmp_path, spool):
    other = Spool(spool.directory, reactor, nothing, 1 << 30)
    with pytest.raises(SpoolUnusable, match="another gateway"):
        await other.open()
    await other.close()


async def test_a_directory_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    other = Spool(tmp_path / "file" / "spool", reactor, nothing, 1 << 30)
    with pytest.raises(SpoolUnusable, match="name a directory"):
        await other.open()
    await other.close()


async def test_a_full_disk_takes_nothing_and_takes_it_when_there_is_room(tmp_path):
    spool = Spool(tmp_path, reactor, nothing, 200_000)
    await spool.open()
    taken = 0
    with pytest.raises(sqlite3.OperationalError, match="full"):
        for _ in range(100):
            await soon(spool.append("boot", taken, 1, 3, b"x" * 9000))
            taken += 1
    assert 5 < taken < 30 and "full" in spool.trouble and spool.groups == taken
    spool.delete(await soon(spool.read(0, 5)))
    await soon(spool.append("boot", taken, 1, 3, b"x" * 9000))
    assert not spool.trouble
    numbers = [row.number for row in await soon(spool.read(0, 1000))]
    assert numbers == list(range(5, taken + 1))
    await soon(spool.close())


async def test_after_a_failed_sync_the_file_is_trusted_no_more(tmp_path, said):
    """The kernel says once that it could not write; the pages it dropped look clean from then on."""
    disk = FaultyDisk()
    spool = Spool(tmp_path, reactor, nothing, 1 << 30, disk.connect)
    await spool.open()
    await soon(spool.append("boot", 1, 1, 3, b"one"))
    disk.lose_sync = True
    await soon(spool.append("boot", 2, 1, 3, b"two"))
    assert [row.data for row in await soon(spool.read(0, 10))] == [b"one", b"two"]
    assert len(list(tmp_path.glob("damaged-*.db"))) == 1
    assert any("1 groups could be read" in line for line in said)
    await soon(spool.close())


def test_what_an_append_returned_for_outlives_kill_9(tmp_path):
    script = (
        "import sys, pathlib; from ocpp_tw.spool.file import SpoolFile\n"
        "file = SpoolFile(pathlib.Path(sys.argv[1]), lambda *_: [], 1 << 30); file.open()\n"
        "for n in range(1_000_000): file.append('boot', n, 1, 3, b'x' * (n % 7000)); print(n, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    for line in process.stdout:
        if int(line) >= 300:
            process.send_signal(signal.SIGKILL)
            break
    last = [int(line) for line in process.stdout] or [300]
    process.stdout.close()
    process.wait()
    file = SpoolFile(tmp_path, nothing, 1 << 30)
    groups, _, damage = file.open()
    assert damage is None or not damage.lost  # a frame that was being written over an old one cannot be told from a damaged one
    assert groups in (last[-1] + 1, last[-1] + 2)
    assert [len(data) for data in read(file)] == [n % 7000 for n in range(groups)]
    file.close()


def test_a_file_that_may_not_grow_is_survived(tmp_path):
    """RLIMIT_FSIZE is what a quota or a full disk looks like without root."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = opened(tmp_path)
    taken = 0
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
        with pytest.raises(sqlite3.OperationalError):
            for _ in range(100):
                file.append("boot", taken, 1, 3, b"%d" % taken * 5000)
                taken += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert taken
    file.append("boot", taken, 1, 3, b"%d" % taken * 5000)
    assert [row.number for row in file.read(0, 1000)] == list(range(taken + 1))
    file.close()


@pytest.mark.parametrize("cut", [7, 4096, 5000])
def test_a_file_that_was_cut_off_gives_all_that_was_not(tmp_path, cut):
    datas = filled(tmp_path, 200)
    checkpointed(tmp_path)
    path = tmp_path / "spool.db"
    path.write_bytes(path.read_bytes()[:-cut])
    found, damage, file = survived(tmp_path)
    assert damage is not None and damage.saved == len(found)
    assert [each for each in datas if each in found] == found and len(found) > 100
    file.append("boot", 999, 1, 3, b"new")
    assert read(file)[-1] == b"new"
    file.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_byte_anywhere_costs_no_more_than_what_it_hit(tmp_path_factory, data):
    directory = tmp_path_factory.mktemp("spool")
    deleted = data.draw(st.sampled_from([0, 40]))
    datas = filled(directory, 150, data.draw(st.sampled_from([100, 3000, 20_000])), deleted)
    path = directory / data.draw(st.sampled_from(["spool.db", "spool.db-wal"]))
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    found, damage, file = survived(directory)
    # nothing changed, in order; what was deleted may come back, and Redis knows it
    assert [each for each in datas if each in found] == [each for each in found if each in set(datas)]
    lost = [n for n, each in enumerate(datas) if each not in found]
    page = 4096
    assert sum(len(datas[n]) for n in lost[1:-1]) <= page  # what shares the page, and what reaches into it at either end
    assert not lost or damage is not None
    file.close()


def test_a_group_in_the_wrong_place_is_damaged(tmp_path):
    """Redis takes a group of a later number for a sign that it has all before it."""
    datas = filled(tmp_path, 20)
    db = sqlite3.connect(tmp_path / "spool.db")
    db.execute("UPDATE groups SET id = 100 - id WHERE id = 7")
    db.commit()
    db.close()
    found, damage, file = survived(tmp_path)
    assert found == datas[:6] + datas[7:] and damage.lost == [7, 93]
    file.close()


def test_no_file_is_too_damaged_to_start(tmp_path):
    (tmp_path / "spool.db").write_bytes(random.Random(1).randbytes(50_000))
    (tmp_path / "mirror.db").write_bytes(random.Random(2).randbytes(50_000))
    file = SpoolFile(tmp_path, nothing, 1 << 30)
    groups, _, damage = file.open()
    assert groups == 0 and damage.saved == 0 and damage.aside.stat().st_size == 50_000
    file.append("boot", 1, 1, 3, b"new")
    assert read(file) == [b"new"]
    file.close()


async def test_a_damaged_group_is_logged_and_the_others_are_read(tmp_path, said):
    datas = filled(tmp_path, 20, 3000)
    db = sqlite3.connect(tmp_path / "spool.db")
    db.execute("UPDATE groups SET data = x'00' WHERE id = 7")
    db.commit()
    db.close()
    (tmp_path / "mirror.db").write_bytes(b"no database at all" * 1000)
    spool = Spool(tmp_path, reactor, nothing, 1 << 30)
    await spool.open()
    found = [row.data for row in await soon(spool.read(0, 1000))]
    assert found == datas[:6] + datas[7:]
    assert any("groups [7] are lost" in line for line in said)
    assert await soon(spool.mirrored(b"x")) == {}
    await soon(spool.close())


def test_a_renewal_that_was_cut_short_is_brought_to_its_end(tmp_path):
    filled(tmp_path, 3)
    checkpointed(tmp_path)
    (tmp_path / "spool.db").rename(tmp_path / "fresh.db")
    file = SpoolFile(tmp_path, nothing, 1 << 30)
    assert file.open()[0] == 3
    file.close()


def test_an_empty_spool_gives_its_space_back(tmp_path):
    file = opened(tmp_path)
    for n in range(40):
        file.append("boot", n, 1, 3, bytes(500_000))
    assert (tmp_path / "spool.db").stat().st_size > 16 << 20
    file.delete(40)
    assert (tmp_path / "spool.db").stat().st_size < 1 << 20
    file.append("boot", 41, 1, 3, b"more")
    assert [row.id for row in file.read(0, 10)] == [41]
    file.close()


# a disk so full that not even SQLite can begin


async def test_a_gateway_begins_on_a_full_disk_and_reads_what_is_there(tmp_path, said):
    disk, datas = FaultyDisk(), filled(tmp_path, 50, 3000)
    disk.full = True
    spool = Spool(tmp_path, reactor, nothing, 1 << 30, disk.connect)
    await spool.open()
    assert (spool.groups, spool.events, spool.trouble) == (50, 50, "database or disk is full")
    assert [row.data for row in await soon(spool.read(0, 1000))] == datas
    assert await soon(spool.reserve()) is None
    with pytest.raises(sqlite3.OperationalError):
        await soon(spool.append("boot", 51, 1, 3, b"new"))
    disk.full = False
    await soon(spool.append("boot", 51, 1, 3, b"new"))
    assert not spool.trouble
    assert [row.data for row in await soon(spool.read(0, 1000))] == [*datas, b"new"]
    await soon(spool.close())


async def test_tables_are_known_on_a_full_disk(tmp_path):
    disk = FaultyDisk()
    filled(tmp_path, 3)
    disk.full = True
    spool = Spool(tmp_path, reactor, updates, 1 << 30, disk.connect)
    await spool.open()
    assert b"name" in dict(await soon(spool.pending(b"table")))
    assert await soon(spool.pending(b"other")) == []
    await soon(spool.close())


async def test_a_spool_that_is_done_with_makes_room_where_there_is_none(tmp_path):
    disk = FaultyDisk()
    filled(tmp_path, 50, 3000)
    disk.full = True
    spool = Spool(tmp_path, reactor, nothing, 1 << 30, disk.connect)
    await spool.open()
    spool.clear(49)
    assert len(await soon(spool.read(0, 1000))) == 50  # the last one is not done with
    spool.clear(50)
    assert await soon(spool.read(0, 1000)) == []
    assert not (tmp_path / "spool.db").exists()
    disk.full = False
    await soon(spool.append("boot", 51, 1, 3, b"new"))
    assert [row.data for row in await soon(spool.read(50, 1000))] == [b"new"]  # whoever had read up to 50 finds it
    await soon(spool.close())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount a small disk")
async def test_a_small_disk_that_fills_up_is_survived(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        for _ in range(3):
            spool = Spool(disk / "spool", reactor, nothing, 1 << 30)
            await spool.open()
            with pytest.raises(sqlite3.Error):
                for n in range(1000):
                    await soon(spool.append("boot", n, 1, 3, bytes(5000)))
            (disk / "more").write_bytes(b"")
            with contextlib.suppress(OSError), (disk / "more").open("wb") as more:
                more.write(bytes(4 << 20))
            await soon(spool.close())
            spool = Spool(disk / "spool", reactor, nothing, 1 << 30)
            await spool.open()
            taken = spool.groups
            rows, after = 0, 0
            while found := await soon(spool.read(after, 1000)):
                rows, after = rows + len(found), found[-1].id
            assert rows == taken > 10
            spool.clear(after)
            await soon(spool.read(0, 1))
            (disk / "more").unlink()
            await soon(spool.append("boot", 5000, 1, 3, b"new"))
            (row,) = await soon(spool.read(after, 1000))
            assert row.data == b"new"
            spool.clear(row.id)
            await soon(spool.close())
    finally:
        subprocess.run(["umount", str(disk)], check=True)
