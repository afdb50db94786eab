"""The text of a cell that several people edit at once: a Yjs document of one text, `code`.

What pages send are updates of it, which merge in any order and however often they come; the
state is an update, too, of all there has been. Where nobody has edited a cell since there are
such states, it is one that follows from the code alone, so everybody begins with the same.

Trap: the library allocates what an update claims to hold, and may abort the process. So an
update is read here first, and must be what a page makes: insertions and deletions of text.
"""

from __future__ import annotations

from pycrdt import Doc, Text

NAME = "code"
ORIGIN = 1  # Yjs's client id of what was there before anybody edited
LARGEST = 4 << 20  # bytes of a state
MOST = 1 << 53  # Yjs's numbers are JavaScript's
HAS_LEFT, HAS_RIGHT, HAS_KEY, KIND = 0x80, 0x40, 0x20, 0x1F  # of what describes a piece
COLLECTED, DELETED, STRING, SKIPPED = 0, 1, 4, 10  # kinds of pieces


class BadUpdate(Exception):
    """It is none that a page makes; the text says what is wrong."""


def begun(code: str) -> bytes:
    """The state of a text that nobody has edited yet."""
    return _state(*_begin(code))


def merged(state: bytes | None, code: str, update: bytes) -> tuple[bytes, str]:
    """The state and the code that come of an update. Raises BadUpdate.

    `state` is None if there is none yet, but only the code.
    """
    check(update)
    document, text = _open(state, code)
    try:
        document.apply_update(update)
        state = _state(document, text)
        # What others will make of it: of contradictory edits that may be something else.
        found = str(_open(state, "")[1])
    except ValueError as error:
        raise BadUpdate(f"Edits that can't be read: {error}") from None
    if "\r" in found or "\0" in found:
        raise BadUpdate("Code must not contain NUL characters or carriage returns.")
    return state, found


def rewritten(state: bytes | None, before: str, code: str) -> bytes:
    """The state of a text whose code was `before` and is to be another. Raises BadUpdate."""
    document, text = _open(state, before)
    if str(text) != code:
        text.clear()
        text.insert(0, code)
    return _state(document, text)


def check(update: bytes) -> None:
    """Raises BadUpdate if it is none of a text alone, or claims to hold more than it does."""
    reader = _Reader(update)
    for _ in range(reader.count()):
        pieces = reader.count()
        reader.numbers(2)  # client and clock
        for _ in range(pieces):
            _check_piece(reader)
    for _ in range(reader.count()):
        reader.number()  # client
        for _ in range(reader.count()):
            reader.numbers(2)  # clock and length
    if reader.left:
        raise BadUpdate("Edits with something behind them.")


def _check_piece(reader: _Reader) -> None:
    about = reader.byte()
    kind = about & KIND
    if kind not in (COLLECTED, SKIPPED):
        if about & HAS_LEFT:
            reader.numbers(2)
        if about & HAS_RIGHT:
            reader.numbers(2)
        if not about & (HAS_LEFT | HAS_RIGHT):
            _check_place(reader, about)
    if kind == STRING:
        reader.string()
    elif kind in (COLLECTED, DELETED, SKIPPED):
        reader.number()  # length
    else:
        raise BadUpdate("Edits of something that is no text.")


def _check_place(reader: _Reader, about: int) -> None:
    if about & HAS_KEY or reader.number() != 1 or reader.string() != NAME.encode():
        raise BadUpdate("Edits of another text.")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def byte(self) -> int:
        if not self.left:
            raise BadUpdate("Edits that end too early.")
        self._at += 1
        return self._data[self._at - 1]

    def number(self) -> int:
        """Seven bits at a time, the lowest first."""
        found = shift = 0
        while True:
            byte = self.byte()
            found |= (byte & 0x7F) << shift
            shift += 7
            if found >= MOST or shift > 63:
                raise BadUpdate("Edits with too large a number.")
            if byte < 0x80:
                return found

    def numbers(self, count: int) -> None:
        for _ in range(count):
            self.number()

    def count(self) -> int:
        """Of what follows, each of which takes a byte at least."""
        found = self.number()
        if found > self.left:
            raise BadUpdate("Edits that claim to be more than there are.")
        return found

    def string(self) -> bytes:
        length = self.count()
        self._at += length
        return self._data[self._at - length : self._at]


def _open(state: bytes | None, code: str) -> tuple[Doc[Text], Text]:
    if state is None:
        return _begin(code)
    document: Doc[Text] = Doc()
    text = document.get(NAME, type=Text)
    document.apply_update(state)
    return document, text


def plain(code: str) -> str:
    """Code with the only ends of lines that an editor has."""
    return code.replace("\r\n", "\n").replace("\r", "\n")


def _begin(code: str) -> tuple[Doc[Text], Text]:
    document: Doc[Text] = Doc(client_id=ORIGIN)
    text = document.get(NAME, type=Text)
    if code:
        text.insert(0, plain(code))
    return document, text


def _state(document: Doc[Text], text: Text) -> bytes:
    found = document.get_update()
    if len(found) > LARGEST:
        raise BadUpdate(
            f"What was edited of this cell takes {len(found):,} bytes, more than"
            f" {LARGEST:,}: copy its text to another cell."
        )
    return found
