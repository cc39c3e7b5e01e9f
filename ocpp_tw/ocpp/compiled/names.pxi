# Closed sets of names, such as measurands, and what is written for each; a part of `readings.pyx`.

cdef enum:
    MOST = 100  # names in a set
    ABSENT = -1


cdef class Names:
    """A closed set of names: each has a place in ``texts``, and what is written for it in a value and in the canonical form of a sample."""

    cdef list texts
    cdef list _held  # the bytes that the pieces point to
    cdef Piece names[MOST]
    cdef Piece in_value[MOST]
    cdef Piece in_sample[MOST]
    cdef unsigned char first[LONGEST + 2]  # the place of the first name that has at least so many bytes

    def __init__(self, texts, in_value=lambda text: "", in_sample=lambda text: ""):
        self.texts = sorted(texts, key=len)
        assert len(self.texts) <= MOST and all(each.isascii() and len(each) <= LONGEST for each in self.texts), self.texts
        self._held = [(each.encode(), in_value(each).encode(), in_sample(each).encode()) for each in self.texts]
        cdef bytes name, value, sample
        for place, (name, value, sample) in enumerate(self._held):
            self.names[place].at, self.names[place].size = name, len(name)
            self.in_value[place].at, self.in_value[place].size = value, len(value)
            self.in_sample[place].at, self.in_sample[place].size = sample, len(sample)
        for size in range(LONGEST + 2):
            self.first[size] = sum([len(each) < size for each in self.texts])


cdef inline int find(Names names, Piece* name) noexcept nogil:
    """The place of a name, or `ABSENT`."""
    cdef int place
    if name.size > LONGEST:
        return ABSENT
    for place in range(names.first[name.size], names.first[name.size + 1]):
        if memcmp(names.names[place].at, name.at, name.size) == 0:
            return place
    return ABSENT
