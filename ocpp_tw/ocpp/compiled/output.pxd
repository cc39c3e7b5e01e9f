"""What the compiled modules write with: bytes are written only where room has been made for them."""

from libc.stdlib cimport realloc
from libc.string cimport memcpy

from .text cimport Piece


cdef struct Output:
    char* at
    Py_ssize_t size
    Py_ssize_t room


cdef inline int make_room(Output* output, Py_ssize_t more) except -1:
    """For so many bytes; raises MemoryError."""
    cdef char* at
    if output.size + more > output.room:
        at = <char*>realloc(output.at, 2 * output.room + more)
        if at == NULL:
            raise MemoryError
        output.at, output.room = at, 2 * output.room + more
    return 0


cdef inline void put(Output* output, const char* at, Py_ssize_t size) noexcept nogil:
    memcpy(output.at + output.size, at, size)
    output.size += size


cdef inline void put_piece(Output* output, Piece* piece) noexcept nogil:
    put(output, piece.at, piece.size)


cdef inline void put_byte(Output* output, char byte) noexcept nogil:
    output.at[output.size] = byte
    output.size += 1
