"""Rows of a damaged SQLite file, read without SQLite: every leaf page that can still be read gives its rows.

SQLite's own `.recover` would not do. It belongs to the command-line shell, and Python's sqlite3 has no access to it. It works through SQLite,
which has to write before it reads a write-ahead log, and so fails on a full disk; SQLite reads that log only up to the first damaged frame,
without an error; and it gives one version of a page, where the file and the log have several, any of which may be the intact one.

Knows the file format (sqlite.org/fileformat2) and no table: the caller checks the rows' checksums.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LEAF_PAGE = 0x0D
"""The first byte of a page with rows of a table."""
WAL_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
"""Bytes of the header of the write-ahead log, and of each frame in it."""


def salvaged(path: Path, size: int) -> Iterator[tuple[int, list[Any]]]:
    """Id and values of every row of seven columns, the first of which is the id; a page has ``size`` bytes.

    A row may come several times, and deleted ones may come back.
    """
    data = path.read_bytes() if path.exists() else b""
    versions = [(at // size + 1, data[at : at + size].ljust(size, b"\0")) for at in range(0, len(data), size)]
    versions += _frames(_log(path), size)
    newest = dict(versions)
    for number, page in versions:
        at = 100 if number == 1 else 0
        if page[at] != LEAF_PAGE:
            continue
        for n in range(int.from_bytes(page[at + 3 : at + 5], "big")):
            try:
                place = at + 8 + 2 * n
                id, values = _cell(newest, page, int.from_bytes(page[place : place + 2], "big"), size)
            except (IndexError, KeyError, ValueError, OverflowError):
                continue  # this one is damaged
            if len(values) == 7:
                yield id, values[1:]


def log_is_sound(path: Path, size: int) -> bool:
    """Whether all of the write-ahead log is what was written. SQLite ignores what comes after a damaged frame, without an error."""
    log = _log(path)
    if len(log) < WAL_HEADER_BYTES + FRAME_HEADER_BYTES + size:
        return True
    order = "big" if log[3] & 1 else "little"
    sums = _checksum(log[:24], order, (0, 0))
    if log[:3] != b"\x37\x7f\x06" or _sums(log[24:32]) != sums or int.from_bytes(log[8:12], "big") != size:
        return False
    stale = False
    for at in range(WAL_HEADER_BYTES, len(log) - FRAME_HEADER_BYTES - size + 1, FRAME_HEADER_BYTES + size):
        if not _same_log(log[at + 8 : at + 16], log[16:24]):
            stale = True  # left from before the log was reset
            continue
        sums = _checksum(log[at + FRAME_HEADER_BYTES : at + FRAME_HEADER_BYTES + size], order, _checksum(log[at : at + 8], order, sums))
        if stale or log[at + 8 : at + 16] != log[16:24] or _sums(log[at + 16 : at + 24]) != sums:
            return False
    return True


def _log(path: Path) -> bytes:
    log = path.with_name(path.name + "-wal")
    return log.read_bytes() if log.exists() else b""


def _frames(log: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    """The pages of the write-ahead log in the order in which they were written, without those from before its last reset."""
    places = range(WAL_HEADER_BYTES, len(log) - FRAME_HEADER_BYTES - size + 1, FRAME_HEADER_BYTES + size)
    salts = Counter([log[16:24], *(log[at + 8 : at + 16] for at in places[:3])]).most_common(1)[0][0]  # any of them may be damaged
    for at in places:
        if _same_log(log[at + 8 : at + 16], salts):
            yield int.from_bytes(log[at : at + 4], "big"), log[at + FRAME_HEADER_BYTES : at + FRAME_HEADER_BYTES + size]


def _same_log(salts: bytes, others: bytes) -> bool:
    """Whether they are of one log: a reset changes both halves."""
    return salts[:4] == others[:4] or salts[4:] == others[4:]


def _checksum(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    numbers = struct.unpack(f"{'>' if order == 'big' else '<'}{len(data) // 4}I", data)
    for one, other in zip(numbers[::2], numbers[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


def _sums(data: bytes) -> tuple[int, int]:
    return int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")


def _cell(pages: dict[int, bytes], page: bytes, at: int, size: int) -> tuple[int, list[Any]]:
    length, at = _varint(page, at)
    id, at = _varint(page, at)
    return id, _values(_payload(pages, page, at, length, size))


def _payload(pages: dict[int, bytes], page: bytes, at: int, length: int, size: int) -> bytes:
    """A cell's payload: all of it in its page, or the rest in a chain of overflow pages."""
    if length <= size - 35:
        here, rest = length, 0
    else:
        least = (size - 12) * 32 // 255 - 23
        here = least + (length - least) % (size - 4)
        here = here if here <= size - 35 else least
        rest = int.from_bytes(page[at + here : at + here + 4], "big")
    parts, have, seen = [page[at : at + here]], here, set()
    while have < length:
        if rest in seen:
            raise ValueError("the overflow pages form a loop")
        seen.add(rest)
        more = pages[rest]
        rest = int.from_bytes(more[:4], "big")
        parts.append(more[4 : 4 + length - have])
        have += len(parts[-1])
    payload = b"".join(parts)
    if len(payload) != length:
        raise ValueError("it is cut short")
    return payload


def _values(record: bytes) -> list[Any]:
    head, at = _varint(record, 0)
    kinds = []
    while at < head:
        kind, at = _varint(record, at)
        kinds.append(kind)
    values: list[Any] = []
    for kind in kinds:
        if kind in (0, 8, 9):
            values.append({0: None, 8: 0, 9: 1}[kind])
        elif kind < 7:
            length = (1, 2, 3, 4, 6, 8)[kind - 1]
            values.append(int.from_bytes(_slice(record, at, length), "big", signed=True))
            at += length
        elif kind >= 12:
            length = (kind - 12) // 2
            raw = _slice(record, at, length)
            values.append(raw.decode() if kind % 2 else raw)
            at += length
        else:
            raise ValueError("a type of value that the spool never writes")
    return values


def _slice(record: bytes, at: int, length: int) -> bytes:
    part = record[at : at + length]
    if len(part) != length:
        raise ValueError("it is cut short")
    return part


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    value = 0
    for n in range(9):
        byte = data[at + n]
        if n == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + n + 1
    raise AssertionError
