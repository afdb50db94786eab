"""Several people edit one cell through two app servers, whose connections break and one of which
is killed: all have the same text in the end, and nothing is lost or doubled."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence

import gevent
import pytest
import websocket
from pycrdt import Doc, Text

from app import texts
from app.wire.messages_pb2 import Cell, Here, Message, SaveCell
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite, kill_all
from tests.test_two_servers import at, pair, until_answers, user

__all__ = ["pair", "user"]  # fixtures

FIRST_MARK = 0xE000  # of characters that nobody else uses, one for each insertion


class Editor:
    """A page with a cell, as the browser's: it merges what comes, and sends what is not stored."""

    def __init__(self, users: Sequence[SignedIn], sheet: str, cell: str) -> None:
        """`users`: the person, at each of the app servers."""
        self._users = users
        self._sheet = sheet
        self._cell = cell
        self._document: Doc[Text] = Doc()
        self._text = self._document.get(texts.NAME, type=Text)
        self._stored = self._document.get_state()
        self._edits = 0
        self._sent: list[int] = []  # how many edits each save had that is under way
        self._confirmed = 0
        self._page: Page | None = None
        self._reading: gevent.Greenlet[..., None] | None = None
        self.inserted: set[str] = set()
        self.deleted: set[str] = set()

    @property
    def code(self) -> str:
        return str(self._text)

    @property
    def is_stored(self) -> bool:
        return self._confirmed == self._edits

    def come(self, number: int) -> None:
        """Connect with an app server, if it is there."""
        self.leave()
        self._sent.clear()
        try:
            self._page = Page(self._users[number], self._sheet)
        except (OSError, websocket.WebSocketException):
            return
        self._reading = gevent.spawn(self._read, self._page)
        self.save()

    def leave(self) -> None:
        """Be cut off: what is under way is lost."""
        if self._page is not None:
            self._page.socket.shutdown()  # type: ignore[no-untyped-call]
            self._page = None
        if self._reading is not None:
            self._reading.kill()

    def type(self, mark: str, chance: random.Random) -> None:
        """Put a character in somewhere, and sometimes take one of ours out again."""
        self._text.insert(self._place(chance.randint(0, len(self.code))), mark)
        self.inserted.add(mark)
        self._edits += 1
        ours = [one for one in self.code if one in self.inserted]
        if len(ours) > 3 and chance.random() < 0.4:
            gone = chance.choice(ours)
            at = self.code.index(gone)
            del self._text[self._place(at) : self._place(at + 1)]
            self.deleted.add(gone)

    def _place(self, characters: int) -> int:
        """As the library counts: in bytes."""
        return len(self.code[:characters].encode())

    def save(self) -> None:
        if self._page is None:
            return
        update = self._document.get_update(self._stored)
        self._sent.append(self._edits)
        order = SaveCell(id=self._cell, position=1, code=self.code, text=update)
        try:
            self._page.send(save_cell=order)
        except (OSError, websocket.WebSocketException):
            self._page = None

    def _read(self, page: Page) -> None:
        while True:
            try:
                message = page.receive()
            except (OSError, websocket.WebSocketException):
                return
            for state in self._states(message):
                self._document.apply_update(state)
                stored: Doc[Text] = Doc()
                stored.apply_update(state)
                self._stored = stored.get_state()

    def _states(self, message: Message) -> list[bytes]:
        cells: list[Cell] = [*message.worksheet.cells, message.cell]
        found = [cell.text for cell in cells if cell.id == self._cell]
        if message.cell_saved.id == self._cell:
            self._confirmed = self._sent.pop(0)
            found.append(message.cell_saved.text)
        return [state for state in found if state]


@pytest.mark.parametrize("seed", range(3))
def test_all_have_the_same_text_in_the_end(
    pair: RunningSite, user: SignedIn, seed: int
) -> None:
    chance = random.Random(seed)
    sheet, cell = user.new_worksheet(), str(uuid.uuid4())
    users = [at(user, pair, number) for number in (0, 1)]
    editors = [Editor(users, sheet, cell) for _ in range(4)]
    for number, editor in enumerate(editors):
        editor.come(number % 2)
    for step in range(150):
        live(chance.choice(editors), chr(FIRST_MARK + step), chance)
        if seed == 0 and step == 75:
            kill_all([one for one in pair.processes("gunicorn") if str(pair.port) in port(one)])
        gevent.sleep(chance.random() * 0.02)
    until_answers(user, pair, 0)
    with gevent.Timeout(PATIENCE):
        while not all(editor.is_stored for editor in editors) or len(codes(editors)) > 1:
            for number, editor in enumerate(editors):
                editor.come(number % 2)
            gevent.sleep(0.5)
    (found,) = codes(editors)
    inserted, deleted = (
        set[str]().union(*(getattr(editor, kind) for editor in editors))
        for kind in ("inserted", "deleted")
    )
    assert sorted(found) == sorted(inserted - deleted)
    page = Page(user, sheet)
    stored = page.until(lambda message: message.HasField("worksheet")).worksheet.cells
    assert [one.code for one in stored] == [found]
    page.close()
    for editor in editors:
        editor.leave()


def live(editor: Editor, mark: str, chance: random.Random) -> None:
    """One thing that happens to somebody."""
    match chance.choice(("type", "type", "type", "save", "save", "leave", "come")):
        case "type":
            editor.type(mark, chance)
        case "save":
            editor.save()
        case "leave":
            editor.leave()
        case _:
            editor.come(chance.randrange(2))


def port(process: object) -> str:
    return f"{process.environ().get('SALVUS_APP_PORT')}"  # type: ignore[attr-defined]


def codes(editors: list[Editor]) -> set[str]:
    return {editor.code for editor in editors}


def test_two_who_make_the_same_cell_at_once_lose_nothing(
    pair: RunningSite, user: SignedIn
) -> None:
    sheet, cell = user.new_worksheet(), str(uuid.uuid4())
    users = [at(user, pair, number) for number in (0, 1)]
    editors = [Editor(users, sheet, cell) for _ in range(2)]
    for number, editor in enumerate(editors):
        editor.type("ab"[number], random.Random(0))
    both = [gevent.spawn(editor.come, number) for number, editor in enumerate(editors)]
    gevent.joinall(both, raise_error=True)
    with gevent.Timeout(PATIENCE):
        while {"".join(sorted(editor.code)) for editor in editors} != {"ab"}:
            gevent.sleep(0.05)
    for editor in editors:
        editor.leave()


def test_edits_that_make_no_sense_are_refused(pair: RunningSite, user: SignedIn) -> None:
    page = Page(user, user.new_worksheet())
    cell = str(uuid.uuid4())
    for update in (b"\xff" * 20, texts.begun("hello")[:-1]):
        page.send(save_cell=SaveCell(id=cell, position=1, code="hello", text=update))
        refused = page.until(lambda message: message.HasField("refused")).refused
        assert refused.about == cell
        assert refused.reason.startswith("Edits ")
    page.save(cell, "as before")
    page.until(lambda message: message.HasField("cell_saved"))
    page.close()


def test_others_are_told_who_is_here(pair: RunningSite, user: SignedIn) -> None:
    sheet = user.new_worksheet()
    one, other = (Page(at(user, pair, number), sheet) for number in (0, 1))
    for page in (one, other):
        page.until(lambda message: message.HasField("worksheet"))
    one.send(here=Here(browser="forged", name="forged", cell="c", anchor=b"a", asks=True))
    here = other.until(lambda message: message.HasField("here")).here
    assert (here.name, here.cell, here.anchor, here.asks) == ("Owner", "c", b"a", True)
    assert here.browser != "forged"
    one.close()
    left = other.until(lambda message: message.HasField("here")).here
    assert left.left
    assert left.browser == here.browser
    other.close()
