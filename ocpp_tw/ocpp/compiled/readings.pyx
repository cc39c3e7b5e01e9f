# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Reads the JSON of OCPP's meterValue arrays and writes that of their values in canonical units, in one pass over the bytes.

This is the compiled twin of what `ocpp_tw.ocpp.v16_meter_values` and `ocpp_tw.ocpp.v2_one_pass` do with msgspec, which they use where this is
not built. It accepts nothing that the schema would not; whatever is not ordinary, however valid, is left to them.

Everything is read through `text.Text`, and written to an `Output` that has made room before. No Python object is created for a sample unless
the gateway itself looks at it.
"""

from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memmove

from .output cimport Output, make_room, put, put_byte, put_piece
from .text cimport LONGEST, Piece, Text, is_called, is_decimal, is_number, is_space, is_text, is_zero, skip_space, take, take_name, take_string, take_word

from ..bounds import MAX_SAMPLES as _MAX_SAMPLES
from ..meter_values import MAX_POWER as _MAX_POWER

cdef enum:
    MOST_KEPT = 32  # values of one reading that the gateway looks at
    LONGEST_VALUE = 64  # bytes of a value in its canonical unit
    MOST_DIGITS = 40  # bytes of a number
    FRAME = 800  # bytes that are written for a sample at most
    # what a member of a sample is called
    VALUE = 0
    CONTEXT = 1
    MEASURAND = 2
    PHASE = 3
    LOCATION = 4
    MEASURE = 5  # its unit

cdef extern from *:
    const char* OF_SOURCES

SOURCES = OF_SOURCES.decode()
"""Which sources it was built of (`sources.digest`)."""

MEMBER = b'"meterValue"'

cdef int MAX_SAMPLES = _MAX_SAMPLES, MAX_POWER = _MAX_POWER

include "names.pxi"


cdef inline object text_at(Names names, int place):
    return None if place == ABSENT else names.texts[place]


cdef inline str text_of(Piece* piece):
    return piece.at[:piece.size].decode("ascii")


cdef struct Sample:
    Piece timestamp  # of its reading
    Piece number  # as it stands in the message, without sign and zeros at its end
    bint negative
    int power  # of ten, by which it is multiplied in the canonical unit
    int context
    int measurand
    int phase
    int location
    int unit
    int multiplier
    bint has_multiplier
    bint measured  # 2.x: it has a unitOfMeasure
    int canonical  # the canonical unit


cdef struct Samples:
    Sample* at
    int size
    int room


cdef struct Outputs:
    Output values
    Output samples  # 2.x: their canonical form
    Samples kept  # whose values the gateway looks at


cdef class ReadingsReader:
    """For one version. ``numbers``: the value of a sample is a number and its unit an object, as in 2.x; else both are strings, as in 1.6.

    ``units``: a measurand, or None for a sample without one -> its unit, or None -> what the measurand is, the canonical unit, and the power of ten between the
    two. ``contexts``, ``phases``, ``locations``: what these may be. ``kept``: the measurands whose values the gateway itself looks at -> digits before the point
    with which a value is believed, whatever it is; ``value`` makes one (`ocpp_tw.facts.Value`). ``longest``: most characters of a number.
    """

    cdef Names members, measurands, contexts, phases, locations, units, canonical_units
    cdef int roles[MOST]  # of the members
    cdef int value_place
    cdef int meant[MOST + 1]  # the measurand that one is; the last is that of a sample without one
    cdef int canonical[MOST + 1][MOST + 1]  # ABSENT where a measurand is not read in a unit; the last of each is that of a sample without one
    cdef int powers[MOST + 1][MOST + 1]
    cdef int believed[MOST]  # ABSENT where no value is looked at
    cdef bint numbers
    cdef int longest
    cdef object value

    def __init__(self, *, bint numbers, units, contexts, phases, locations, kept, value, int longest):
        assert longest <= MOST_DIGITS
        self.numbers, self.longest, self.value = numbers, longest, value
        roles = {"value": VALUE, "context": CONTEXT, "measurand": MEASURAND, "phase": PHASE, "location": LOCATION}
        roles["unitOfMeasure" if numbers else "unit"] = MEASURE
        self.members = Names(roles)
        for place, name in enumerate(self.members.texts):
            self.roles[place] = roles[name]
        self.value_place = self.members.texts.index("value")
        self.contexts = Names(contexts, lambda text: f',"context":"{text}"', lambda text: f'"context":"{text}",')
        self.phases = Names(phases, lambda text: f',"phase":"{text}"', lambda text: f'"phase":"{text}",')
        self.locations = Names(locations, lambda text: f',"location":"{text}"', lambda text: f'"location":"{text}",')
        self.measurands = Names(
            {each for each in units if each is not None}, lambda text: f'{{"measurand":"{text}","value":"', lambda text: f'"measurand":"{text}",'
        )
        self.units = Names({unit for known in units.values() for unit in known if unit is not None}, in_sample=lambda text: f'"unit":"{text}"')
        canonical = {unit or "" for known in units.values() for _, unit, _ in known.values()}
        self.canonical_units = Names(canonical, lambda text: f'","unit":{quoted(text)},"timestamp":"')
        for measurand in range(MOST + 1):
            for unit in range(MOST + 1):
                self.canonical[measurand][unit] = ABSENT
        for measurand, known in units.items():
            row = MOST if measurand is None else self.measurands.texts.index(measurand)
            for unit, (meant, told_in, power) in known.items():
                column = MOST if unit is None else self.units.texts.index(unit)
                self.meant[row] = self.measurands.texts.index(meant)
                self.canonical[row][column] = self.canonical_units.texts.index(told_in or "")
                self.powers[row][column] = power
        for place, name in enumerate(self.measurands.texts):
            self.believed[place] = kept.get(name, ABSENT)

    def read(self, bytes payload not None):
        """Of a payload: itself with 0 in place of its meterValue; that array, the JSON of its values, those of them that the gateway looks at, and the
        array's canonical JSON (``b""`` in 1.6). None if it has to be read otherwise, or has no such array.

        Of the values in one reading that are of the same, such as the power of a phase, those before one that is believed are not among those that are looked
        at: the last counts. Whoever validates the rest has to accept nothing but 0 for meterValue, and no such member elsewhere.
        """
        cdef Text text
        cdef Outputs out
        cdef int samples = 0, place
        cdef Py_ssize_t beginning = payload.find(MEMBER), end
        if beginning < 0:
            return None
        cdef const char* at = payload
        text.at, text.end = at + beginning + len(MEMBER), at + len(payload)
        if not take(&text, b":"):
            return None
        beginning = text.at - at
        out.values.at = out.samples.at = NULL
        out.kept.at = NULL
        out.kept.size = out.kept.room = 0
        out.values.size = out.values.room = out.samples.size = out.samples.room = 0
        try:
            make_room(&out.values, 2 * len(payload) + FRAME)
            if self.numbers:
                make_room(&out.samples, len(payload) + FRAME)
            if not self._readings(&text, &out, &samples):
                return None
            end = text.at - at
            if not is_closed(&text):
                return None
            rest = payload[:beginning] + b"0" + payload[end:]
            if rest.count(MEMBER) > 1 or b"\\" in rest:  # of a member that comes twice the latter counts, and its name may be written otherwise
                return None
            values, canonical = out.values.at[:out.values.size], out.samples.at[:out.samples.size] if self.numbers else b""
            kept = [self._told(&out.kept.at[place]) for place in range(out.kept.size)]
            return rest, payload[beginning:end], values, kept, canonical
        finally:
            free(out.values.at)
            free(out.samples.at)
            free(out.kept.at)

    cdef bint _readings(self, Text* text, Outputs* out, int* samples) except -1:
        """The whole array."""
        put(&out.values, b"[", 1)
        if self.numbers:
            put(&out.samples, b"[", 1)
        if not take(text, b"["):
            return False
        while True:
            if not self._reading(text, out, samples):
                return False
            if take(text, b","):
                continue
            if not take(text, b"]"):
                return False
            out.values.at[out.values.size - 1] = b"]"  # in place of the last comma
            if self.numbers:
                out.samples.at[out.samples.size - 1] = b"]"
            return True

    cdef bint _reading(self, Text* text, Outputs* out, int* samples) except -1:
        """One element of it: a timestamp and its samples, in either order."""
        cdef Piece name, timestamp
        cdef const char* beginning
        cdef const char* end = text.end
        cdef const char* behind = NULL
        if not take(text, b"{") or not take_name(text, &name):
            return False
        if is_called(&name, b"sampledValue", 12):  # what comes behind them has to be known first
            beginning = text.at
            end = <const char*>memchr(text.at, b"]", text.end - text.at)
            if end == NULL:
                return False
            text.at = end + 1
            if not take(text, b",") or not take_name(text, &name) or not is_called(&name, b"timestamp", 9) or not take_string(text, &timestamp):
                return False
            behind, text.at = text.at, beginning
        elif not is_called(&name, b"timestamp", 9) or not take_string(text, &timestamp):
            return False
        elif not take(text, b",") or not take_name(text, &name) or not is_called(&name, b"sampledValue", 12):
            return False
        if not is_text(&timestamp):
            return False
        if self.numbers:
            make_room(&out.samples, FRAME)
            put(&out.samples, b'{"sampledValue":[', 17)
        if not self._samples(text, &timestamp, out, samples):
            return False
        if self.numbers:
            make_room(&out.samples, FRAME)
            out.samples.size -= 1  # the last comma
            put(&out.samples, b'],"timestamp":"', 15)
            put_piece(&out.samples, &timestamp)
            put(&out.samples, b'"},', 3)
        if behind != NULL:
            if text.at != end + 1:
                return False
            text.at = behind
        return take(text, b"}")

    cdef bint _samples(self, Text* text, Piece* timestamp, Outputs* out, int* samples) except -1:
        """The samples of a reading."""
        cdef Sample sample
        cdef int before = out.kept.size, row, column
        sample.timestamp = timestamp[0]
        if not take(text, b"["):
            return False
        while True:
            if not self._sample(text, &sample):
                return False
            row = MOST if sample.measurand == ABSENT else sample.measurand
            column = MOST if sample.unit == ABSENT else sample.unit
            sample.canonical = self.canonical[row][column]
            if sample.canonical == ABSENT:
                return False
            if self.numbers:
                self._write_sample(&sample, &out.samples)
            sample.measurand = self.meant[row]
            sample.power = self.powers[row][column] + sample.multiplier
            self._write_value(&sample, &out.values)
            samples[0] += 1
            if samples[0] > MAX_SAMPLES:
                return False
            if self.believed[sample.measurand] != ABSENT:
                if not sample.negative and whole_digits(&sample) <= self.believed[sample.measurand]:
                    remove_same(&sample, &out.kept, before)
                if out.kept.size - before == MOST_KEPT:
                    return False
                keep(&out.kept, &sample)
            if take(text, b","):
                continue
            return take(text, b"]")

    cdef bint _sample(self, Text* text, Sample* sample) noexcept nogil:
        """One sample, but for what its unit comes to."""
        cdef Piece name, member
        cdef int place, seen = 0
        sample.context = sample.measurand = sample.phase = sample.location = sample.unit = ABSENT
        sample.multiplier = 0
        sample.has_multiplier = sample.measured = False
        if not take(text, b"{"):
            return False
        while True:
            if not take_name(text, &name):
                return False
            place = find(self.members, &name)
            if place == ABSENT or seen & (1 << place):
                return False
            seen |= 1 << place
            place = self.roles[place]
            if place == VALUE:
                if not self._number(text, sample):
                    return False
            elif place == MEASURE and self.numbers:
                sample.measured = True
                if not self._unit_of_measure(text, sample):
                    return False
            else:
                if not take_string(text, &member):
                    return False
                if place == MEASURAND:
                    place = sample.measurand = find(self.measurands, &member)
                elif place == CONTEXT:
                    place = sample.context = find(self.contexts, &member)
                elif place == PHASE:
                    place = sample.phase = find(self.phases, &member)
                elif place == LOCATION:
                    place = sample.location = find(self.locations, &member)
                else:
                    place = sample.unit = find(self.units, &member)
                if place == ABSENT:
                    return False
            if take(text, b","):
                continue
            return take(text, b"}") and seen & (1 << self.value_place)

    cdef bint _number(self, Text* text, Sample* sample) noexcept nogil:
        """The value of a sample."""
        cdef Piece* number = &sample.number
        if not (take_word(text, number) if self.numbers else take_string(text, number)):
            return False
        sample.negative = number.size > 0 and number.at[0] == b"-"
        if sample.negative:
            number.at += 1
            number.size -= 1
        if not (is_number(number) if self.numbers else is_decimal(number)) or number.size > self.longest:
            return False
        return not sample.negative or not is_zero(number)  # there is no -0

    cdef bint _unit_of_measure(self, Text* text, Sample* sample) noexcept nogil:
        """2.x: the unit and the power of ten of a sample, both of which may be left out."""
        cdef Piece name, member
        if not take(text, b"{"):
            return False
        if take(text, b"}"):
            return True
        while True:
            if not take_name(text, &name):
                return False
            if is_called(&name, b"unit", 4) and sample.unit == ABSENT:
                if not take_string(text, &member):
                    return False
                sample.unit = find(self.units, &member)
                if sample.unit == ABSENT:
                    return False
            elif is_called(&name, b"multiplier", 10) and not sample.has_multiplier:
                sample.has_multiplier = True
                if not take_word(text, &member) or not read_multiplier(&member, &sample.multiplier):
                    return False
            else:
                return False
            if take(text, b","):
                continue
            return take(text, b"}")

    cdef int _write_value(self, Sample* sample, Output* out) except -1:
        """As `facts.Value` is encoded, and a comma."""
        make_room(out, FRAME)
        put_piece(out, &self.measurands.in_value[sample.measurand])
        put_number(out, sample)
        put_piece(out, &self.canonical_units.in_value[sample.canonical])
        put_piece(out, &sample.timestamp)
        put(out, b'"', 1)
        if sample.context != ABSENT:
            put_piece(out, &self.contexts.in_value[sample.context])
        if sample.phase != ABSENT:
            put_piece(out, &self.phases.in_value[sample.phase])
        if sample.location != ABSENT:
            put_piece(out, &self.locations.in_value[sample.location])
        put(out, b"},", 2)
        return 0

    cdef int _write_sample(self, Sample* sample, Output* out) except -1:
        """As `payload_json.digest` has it, its members in the order of their names, and a comma."""
        cdef bytes multiplier
        make_room(out, FRAME)
        put(out, b"{", 1)
        if sample.context != ABSENT:
            put_piece(out, &self.contexts.in_sample[sample.context])
        if sample.location != ABSENT:
            put_piece(out, &self.locations.in_sample[sample.location])
        if sample.measurand != ABSENT:
            put_piece(out, &self.measurands.in_sample[sample.measurand])
        if sample.phase != ABSENT:
            put_piece(out, &self.phases.in_sample[sample.phase])
        if sample.measured:
            put(out, b'"unitOfMeasure":{', 17)
            if sample.has_multiplier:
                multiplier = b'"multiplier":%d' % sample.multiplier
                put(out, multiplier, len(multiplier))
                if sample.unit != ABSENT:
                    put(out, b",", 1)
            if sample.unit != ABSENT:
                put_piece(out, &self.units.in_sample[sample.unit])
            put(out, b"},", 2)
        put(out, b'"value":', 8)
        if sample.negative:
            put_byte(out, c"-")
        put_piece(out, &sample.number)
        put(out, b"},", 2)
        return 0

    cdef object _told(self, Sample* sample):
        cdef char[LONGEST_VALUE] room
        cdef Output out
        out.at, out.size, out.room = room, 0, LONGEST_VALUE
        put_number(&out, sample)
        return self.value(
            self.measurands.texts[sample.measurand],
            out.at[:out.size].decode("ascii"),
            self.canonical_units.texts[sample.canonical] or None,
            text_of(&sample.timestamp),
            text_at(self.contexts, sample.context),
            text_at(self.phases, sample.phase),
            text_at(self.locations, sample.location),
        )


cdef inline int whole_digits(Sample* sample) noexcept nogil:
    """Digits of its value before the point, at most."""
    cdef const char* point = <const char*>memchr(sample.number.at, b".", sample.number.size)
    return (sample.number.size if point == NULL else point - sample.number.at) + sample.power


cdef inline int keep(Samples* kept, Sample* sample) except -1:
    """Add it; raises MemoryError."""
    cdef Sample* at
    if kept.size == kept.room:
        at = <Sample*>realloc(kept.at, (2 * kept.room + MOST_KEPT) * sizeof(Sample))
        if at == NULL:
            raise MemoryError
        kept.at, kept.room = at, 2 * kept.room + MOST_KEPT
    kept.at[kept.size] = sample[0]
    kept.size += 1
    return 0


cdef inline void remove_same(Sample* sample, Samples* kept, int place) noexcept nogil:
    """Remove those from that place on that say how much of the same."""
    while place < kept.size:
        if is_same(sample, &kept.at[place]):
            kept.size -= 1
            memmove(&kept.at[place], &kept.at[place + 1], (kept.size - place) * sizeof(Sample))
        else:
            place += 1


cdef inline bint is_closed(Text* text) noexcept nogil:
    """Whether what is left may be the rest of an object: nothing needs to be made of a message that ends before."""
    cdef const char* last = text.end
    skip_space(text)
    while last > text.at and is_space((last - 1)[0]):
        last -= 1
    return last > text.at and (last - 1)[0] == b"}" and (text.at[0] == b"," or text.at[0] == b"}")


cdef inline void put_number(Output* out, Sample* sample) noexcept nogil:
    """Its value in the canonical unit."""
    if sample.negative:
        put_byte(out, c"-")
    if sample.power or sample.negative:
        put_shifted(out, &sample.number, sample.power)
    else:
        put_piece(out, &sample.number)


cdef inline void put_shifted(Output* out, Piece* number, int power) noexcept nogil:
    """As `numbers.shifted` does."""
    cdef char digits[MOST_DIGITS]
    cdef int size = 0, point = 0, place
    cdef bint begun = False
    for place in range(<int>number.size):
        if number.at[place] == b".":
            point = place + 1
        else:
            digits[size] = number.at[place]
            size += 1
    point = (point - 1 if point else size) + power
    for place in range(point):
        begun = begun or (place < size and digits[place] != b"0")
        if begun:
            put_byte(out, digits[place] if place < size else c"0")
    if not begun:
        put_byte(out, c"0")
    while size > 0 and size > point and digits[size - 1] == b"0":
        size -= 1
    if size > point and size > 0:
        put_byte(out, c".")
        for place in range(point, size):
            put_byte(out, digits[place] if place >= 0 else c"0")


cdef inline bint is_same(Sample* one, Sample* other) noexcept nogil:
    """Whether both say how much of the same."""
    return (
        one.measurand == other.measurand
        and one.canonical == other.canonical
        and one.context == other.context
        and one.phase == other.phase
        and one.location == other.location
    )


cdef bint read_multiplier(Piece* word, int* multiplier) noexcept nogil:
    """An integer as JSON has it, of at most `MAX_POWER`, up or down."""
    cdef Py_ssize_t place = 1 if word.at[0] == b"-" else 0
    cdef Py_ssize_t digits = word.size - place
    cdef int number = 0
    if not 0 < digits <= 2 or (word.at[place] == b"0" and (digits > 1 or place)):
        return False
    for place in range(place, word.size):
        if not b"0" <= word.at[place] <= b"9":
            return False
        number = 10 * number + word.at[place] - c"0"
    multiplier[0] = -number if word.at[0] == b"-" else number
    return number <= MAX_POWER


def quoted(text):
    """A canonical unit as JSON."""
    return f'"{text}"' if text else "null"
