# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Splits an ordinary CALL without a look at its payload, which whoever reads it validates."""

cdef extern from *:
    const char* OF_SOURCES

from .text cimport Piece, Text, is_space, is_text, skip_space, take, take_string

SOURCES = OF_SOURCES.decode()
"""Which sources it was built of (`sources.digest`)."""


def split_call(bytes text not None):
    """The id, the action and the payload's text of ``[2, id, action, payload]``; None where the head is not ordinary. What is taken for the payload may be
    anything, several elements or no JSON at all."""
    cdef Text left
    cdef Piece id, action
    cdef const char* at = text
    left.at, left.end = at, at + len(text)
    if not take(&left, b"[") or not take(&left, b"2") or not take(&left, b",") or not take_string(&left, &id) or not take(&left, b","):
        return None
    if not take_string(&left, &action) or not take(&left, b",") or not is_text(&id) or not is_text(&action) or not id.size:
        return None
    skip_space(&left)
    if left.at >= left.end or left.at[0] != b"{":
        return None
    cdef const char* last = left.end - 1
    if last[0] != b"]":
        return None
    while is_space((last - 1)[0]):  # before the spaces there is at least the brace
        last -= 1
    return id.at[:id.size].decode("ascii"), action.at[:action.size].decode("ascii"), left.at[:last - left.at]
