"""See `names.pyx`."""

from libc.string cimport memcmp

from .text cimport LONGEST, Piece

cdef enum:
    MOST = 100  # names in a set
    ABSENT = -1


cdef class Names:
    cdef list texts
    cdef list _held  # the bytes that the pieces point to
    cdef Piece names[MOST]
    cdef Piece in_value[MOST]
    cdef Piece in_sample[MOST]
    cdef unsigned char first[LONGEST + 2]  # the place of the first name that has at least so many bytes


cdef inline int find(Names names, Piece* name) noexcept nogil:
    """The place of a name, or `ABSENT`."""
    cdef int place
    if name.size > LONGEST:
        return ABSENT
    for place in range(names.first[name.size], names.first[name.size + 1]):
        if memcmp(names.names[place].at, name.at, name.size) == 0:
            return place
    return ABSENT
