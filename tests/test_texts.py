"""The text of a cell that several people edit, and what a hostile page may send as edits."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from pycrdt import Array, Doc, Text

from app import texts
from app.merging import Merger
from app.texts import BadUpdate, begun, check, merged, rewritten

CODE = "x = 'été 😀'\nx"


class Page:
    """A browser's copy of a text."""

    def __init__(self, state: bytes) -> None:
        self._document: Doc[Text] = Doc()
        self._text = self._document.get(texts.NAME, type=Text)
        self._document.apply_update(state)

    def type(self, at: int, code: str) -> None:
        self._text.insert(at, code)

    def delete(self, start: int, end: int) -> None:
        del self._text[start:end]

    def take(self, state: bytes) -> None:
        self._document.apply_update(state)

    @property
    def update(self) -> bytes:
        return self._document.get_update()

    @property
    def code(self) -> str:
        return str(self._text)


@pytest.fixture(scope="module")
def merger() -> Iterator[Merger]:
    made = Merger()
    yield made
    made.close()


def test_who_begins_with_the_same_code_has_the_same_text() -> None:
    assert begun(CODE) == begun(CODE)
    assert Page(begun(CODE)).code == CODE
    assert Page(begun("a\r\nb\rc")).code == "a\nb\nc"  # an editor's lines


def test_edits_merge_in_any_order_and_however_often_they_come() -> None:
    one, other = Page(begun("ab")), Page(begun("ab"))
    one.type(0, "1")
    other.type(2, "2")
    other.delete(0, 1)
    found = set()
    for order in ([one, other], [other, one], [one, other, one, one]):
        state, code = None, "ab"
        for page in order:
            state, code = merged(state, code, page.update)
        found.add(code)
    assert found == {"1b2"}


def test_code_that_was_replaced_as_a_whole_merges_with_what_is_typed() -> None:
    page = Page(begun("old"))
    page.type(3, "!")
    state, code = merged(rewritten(None, "old", "new 😀"), "new 😀", page.update)
    assert sorted(code) == sorted("new 😀!")
    page.take(state)
    assert page.code == code


def foreign(kind: type) -> bytes:
    document: Doc[Any] = Doc()
    if kind is Array:
        document.get(texts.NAME, type=Array).append(1)
    elif kind is Text:
        document.get("another", type=Text).insert(0, "x")
    else:
        document.get(texts.NAME, type=Text).insert(0, "x", {"bold": True})
    return document.get_update()


GOOD = begun("hello world")
NOTHING = b"\0\0"


@pytest.mark.parametrize(
    "update",
    [
        b"",
        b"\x01",
        GOOD[:-1],
        GOOD + b"\0",
        b"\xff" * 12,
        b"\xff\xff\xff\xff\x0f" + GOOD,
        GOOD.replace(b"\x0bhello", b"\x7fhello"),
        foreign(Array),
        foreign(Text),
        foreign(dict),
    ],
)
def test_what_is_no_edit_of_a_text_is_refused(update: bytes) -> None:
    with pytest.raises(BadUpdate):
        check(update)


@pytest.mark.parametrize("code", ["a\rb", "a\0b"])
def test_code_that_no_page_can_have_is_refused(code: str) -> None:
    page = Page(begun(""))
    page.type(0, code)
    with pytest.raises(BadUpdate, match="NUL characters or carriage returns"):
        merged(None, "", page.update)


def test_the_process_answers_as_the_function_does(merger: Merger) -> None:
    page = Page(begun(CODE))
    page.type(0, "# 😀\n")
    assert merger.merged(None, CODE, page.update) == merged(None, CODE, page.update)
    assert merger.merged(begun(CODE), "", page.update)[1] == page.code
    with pytest.raises(BadUpdate, match="end too early"):
        merger.merged(None, CODE, b"")


def test_one_that_was_ended_by_what_it_was_asked_is_replaced(merger: Merger) -> None:
    merger.merged(None, "a", NOTHING)
    for process in psutil.Process().children():
        if "app.merging" in process.cmdline():
            process.kill()
    with pytest.raises(BadUpdate, match="can't be merged"):
        merger.merged(None, "a", NOTHING)
    assert merger.merged(None, "a", NOTHING)[1] == "a"


def test_hostile_edits_end_nothing_but_their_merge(merger: Merger) -> None:
    """Some of these have the library loop, or abort its process."""
    chance = random.Random(1)
    pages = [Page(GOOD) for _ in range(3)]
    for page in pages:
        for _ in range(5):
            page.type(chance.randint(0, 5), chance.choice(["a", "bé", "😀"]))
            page.delete(1, 2)
    for _ in range(2000):
        update = bytearray(chance.choice(pages).update)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(update))
            update[at] = chance.choice((chance.randrange(256), 255, 0, 1))
        try:
            state, code = merger.merged(GOOD, "", bytes(update))
        except BadUpdate:
            continue
        assert Page(state).code == code
    assert merger.merged(GOOD, "", pages[0].update)[1] == pages[0].code
