"""What the compiled modules read JSON with: a byte is looked at only where ``at < end``, and ``at`` never goes beyond ``end``."""

from libc.string cimport memchr, memcmp

cdef enum:
    LONGEST = 64  # bytes of a name, an id or a timestamp


cdef struct Piece:
    const char* at
    Py_ssize_t size


cdef struct Text:
    const char* at
    const char* end


cdef inline bint is_space(char byte) noexcept nogil:
    return byte == b" " or byte == b"\n" or byte == b"\r" or byte == b"\t"


cdef inline void skip_space(Text* text) noexcept nogil:
    while text.at < text.end and is_space(text.at[0]):
        text.at += 1


cdef inline bint take(Text* text, char wanted) noexcept nogil:
    """Whether the next byte that is no space is this one, which is then read."""
    skip_space(text)
    if text.at < text.end and text.at[0] == wanted:
        text.at += 1
        return True
    return False


cdef inline bint take_string(Text* text, Piece* string) noexcept nogil:
    """A JSON string, up to the next quote: whoever takes it has to see that there is nothing in it that would have to be escaped."""
    if not take(text, b'"'):
        return False
    cdef const char* quote = <const char*>memchr(text.at, b'"', text.end - text.at)
    if quote == NULL:
        return False
    string.at, string.size = text.at, quote - text.at
    text.at = quote + 1
    return True


cdef inline bint take_name(Text* text, Piece* name) noexcept nogil:
    """The name of a member, and the colon behind it."""
    return take_string(text, name) and take(text, b":")


cdef inline bint take_word(Text* text, Piece* word) noexcept nogil:
    """What is neither a space nor a mark of JSON: a number, or what is none."""
    skip_space(text)
    word.at = text.at
    while text.at < text.end and (b"0" <= text.at[0] <= b"9" or text.at[0] == b"." or text.at[0] == b"-"):
        text.at += 1
    word.size = text.at - word.at
    return word.size > 0


cdef inline bint is_called(Piece* name, const char* wanted, Py_ssize_t size) noexcept nogil:
    return name.size == size and memcmp(name.at, wanted, size) == 0


cdef inline bint is_text(Piece* string) noexcept nogil:
    """Whether it is printable ASCII, with nothing escaped, and not long."""
    cdef Py_ssize_t place
    if string.size > LONGEST:
        return False
    for place in range(string.size):
        if not b" " <= string.at[place] <= b"~" or string.at[place] == b"\\":
            return False
    return True


cdef inline bint is_decimal(Piece* word) noexcept nogil:
    """Whether there are only digits, one at least, and at most one point."""
    cdef Py_ssize_t place
    cdef int points = 0
    for place in range(word.size):
        if word.at[place] == b".":
            points += 1
        elif not b"0" <= word.at[place] <= b"9":
            return False
    return points <= 1 and word.size > points


cdef inline bint is_number(Piece* word) noexcept nogil:
    """Whether a decimal is a number to JSON, and a float is written with the same digits; zeros at its end are taken off."""
    if not is_decimal(word) or word.at[0] == b".":
        return False
    if word.at[0] == b"0" and word.size > 1 and word.at[1] != b".":
        return False
    if memchr(word.at, b".", word.size) != NULL:
        if word.at[word.size - 1] == b".":
            return False
        while word.at[word.size - 1] == b"0":
            word.size -= 1
        if word.at[word.size - 1] == b".":
            word.size -= 1
        elif word.size > 5 and memcmp(word.at, b"0.000", 5) == 0:  # a float of it may be written with an exponent
            return False
    return True


cdef inline bint is_zero(Piece* number) noexcept nogil:
    """Whether a decimal has no other digits."""
    cdef Py_ssize_t place
    for place in range(number.size):
        if b"1" <= number.at[place] <= b"9":
            return False
    return True
