"""Interacts over the WebSocket: controls, updates, areas, and what is kept of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import psycopg2
import pytest

from app.db import Database
from app.sage.journal import Begun, Journal
from app.sage.recorder import forget_replaced, rows_of
from app.sage.updates import BadUpdate, Interacts, shown
from app.wire.decoder import ProtocolError
from app.wire.messages_pb2 import (
    Finished,
    Frame,
    Interact,
    Message,
    Opened,
    Queued,
    State,
    Update,
    Values,
)
from supervisor.postgresql import database_url
from tests import host
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite

SLIDER = json.dumps({"count": 10, "start": 0, "step": 1, "readout": True})
AREA, INNER = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))


@pytest.fixture(scope="module")
def sheet(person: SignedIn) -> Iterator[Page]:
    """A worksheet that tests share which leave nothing behind."""
    opened = Page(person, person.new_worksheet())
    yield opened
    opened.close()


def interacts(page: Page, run: str) -> list[Interact]:
    return [f.interact for f in page.frames() if f.run == run and f.HasField("interact")]


def only(page: Page, run: str) -> Interact:
    (found,) = interacts(page, run)
    return found


def move(page: Page, run: str, interact: str, number: int, **values: Any) -> None:
    order = Update(run=run, interact=interact, number=number, values=json.dumps(values))
    page.send(update=order)


def updated(page: Page, interact: str, number: int) -> Finished:
    return page.until(
        lambda m: m.frame.area == interact
        and m.frame.update >= number
        and m.frame.HasField("finished")
    ).frame.finished


def printed(page: Page, area: str, update: int = 0) -> str:
    return "".join(
        frame.stream.text
        for frame in page.frames()
        if frame.HasField("stream") and frame.area == area and frame.update == update
    )


def refusal(page: Page, about: str) -> str:
    found = page.until(lambda m: m.HasField("refused") and m.refused.about == about)
    return found.refused.reason


# -- Controls ----------------------------------------------------------------------


CONTROLS = [
    # what the argument's default is, kind of control, first answer, what the function gets
    ("(0, 10)", "slider", 5, "5 Integer Ring"),
    ("(0, 10, 2)", "slider", 2, "4 Integer Ring"),
    ("(0, 1, 0.25)", "slider", 2, "0.500000000000000 Real Field with 53 bits of precision"),
    ("(int(0), int(3))", "slider", 1, "1 <class 'int'>"),
    ("('how many', (0, 10))", "slider", 5, "5 Integer Ring"),
    ("(3, (0, 10))", "slider", 3, "3 Integer Ring"),
    ("(2, [('one', 1), ('two', 2)])", "select", 1, "2 Integer Ring"),
    ("(sqrt(2), pi)", "slider", 9, "2.27790310798144 Real Field with 53 bits of precision"),
    ("7", "slider", 14, "7 Integer Ring"),
    ("0", "slider", 0, "0 Integer Ring"),
    ("0.123", "slider", 50, "0.123000000000000 Real Field with 53 bits of precision"),
    ("10^30", "input", str(10**30), f"{10**30} Integer Ring"),
    ("True", "checkbox", True, "True <class 'bool'>"),
    ("'sin(x)'", "input", "sin(x)", "'sin(x)' <class 'str'>"),
    ("sin(x)", "input", "sin(x)", "sin(x) Symbolic Ring"),
    ("[1..3]", "select", 0, "1 Integer Ring"),
    ("(n for n in [1..3])", "slider", 0, "1 Integer Ring"),
    ("{'a': 5, 'b': 6}", "select", 0, "5 Integer Ring"),
    ("matrix([[1, 2], [3, 4]])", "grid", [["1", "2"], ["3", "4"]],
     "[1 2]\n[3 4] Full MatrixSpace of 2 by 2 dense matrices over Integer Ring"),
    ("Color('cornflowerblue')", "colour", "#6495ed",
     "RGB color (0.39215686274509803, 0.5843137254901961, 0.9294117647058824)"
     " <class 'sage.plot.colors.Color'>"),
    ("slider(5)", "slider", 0, "5 Integer Ring"),
    ("slider(5, 20, 10/3)", "slider", 2, "35/3 Rational Field"),
    ("slider(2, 10000, 100, 1000)", "slider", 10, "1000 Integer Ring"),
    ("slider(range(10), default=17/10)", "slider", 2, "2 <class 'int'>"),
    ("slider(['a', 'b'], default='b')", "slider", 1, "'b' <class 'str'>"),
    ("range_slider(5, 20)", "range", [3, 11], "(8, 16) <class 'tuple'>"),
    ("range_slider(0, 10, 1, (2, 7))", "range", [2, 7], "(2, 7) <class 'tuple'>"),
    ("selector([1, 2], default=2)", "select", 1, "2 Integer Ring"),
    ("selector([(1, 'one'), (2, 'two')], buttons=True)", "buttons", 0, "1 Integer Ring"),
    ("selector([1..6], nrows=2)", "buttons", 0, "1 Integer Ring"),
    ("selector([1, 2], selector_type='radio')", "radio", 0, "1 Integer Ring"),
    ("checkbox(False, 'really')", "checkbox", False, "False <class 'bool'>"),
    ("input_box('4+5')", "input", "4+5", "9 Integer Ring"),
    ("input_box('2^3', type=float)", "input", "2^3", "8.0 <class 'float'>"),
    ("input_box('4+5', type=str)", "input", "4+5", "'4+5' <class 'str'>"),
    ("input_box()", "input", "", "None <class 'NoneType'>"),
    ("input_grid(1, 2, [[1, x]])", "grid", [["1", "x"]], "[[1, x]] <class 'list'>"),
    ("input_grid(1, 2, 7, to_value=sum)", "grid", [["7", "7"]], "[7, 7] <class 'list'>"),
    ("color_selector('red')", "colour", "#ff0000",
     "RGB color (1.0, 0.0, 0.0) <class 'sage.plot.colors.Color'>"),
    ("text_control('<h2>Title</h2>')", "text", None, "'<h2>Title</h2>' <class 'str'>"),
    ("button('Go', default=0, value=1)", "button", False, "0 Integer Ring"),
]


@pytest.mark.parametrize(("default", "kind", "first", "given"), CONTROLS)
def test_controls_and_what_the_function_gets(
    sheet: Page, default: str, kind: str, first: Any, given: str
) -> None:
    if "to_value=sum" in default:
        default = default.replace("sum", "lambda rows: sum(rows, [])")
    run = sheet.start(f"@interact\ndef f(v={default}):\n    print(repr(v), parent(v))")
    assert sheet.finish(run).status == Finished.OK
    (control,) = only(sheet, run).controls
    assert (control.kind, json.loads(control.value)) == (kind, first)
    assert printed(sheet, only(sheet, run).id) == f"{given}\n"


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("def f(v=(0, 1)): pass", "v"),
        ("def f(v=('of $x$', (0, 1))): pass", "of $x$"),
        ("def f(v=slider(0, 1, label='size')): pass", "size"),
        ("def f(v=('outer', slider(0, 1, label='inner'))): pass", "outer"),
    ],
)
def test_controls_have_labels(sheet: Page, code: str, label: str) -> None:
    run = sheet.start(f"@interact\n{code}")
    sheet.finish(run)
    assert only(sheet, run).controls[0].label == label


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("@interact\ndef f(v): pass", "no default to make a control of"),
        ("@interact\ndef f(v=(1, 2, 3, 4)): pass", "stands for no control"),
        ("@interact\ndef f(v=slider(5, 1)): pass", "the least number comes first"),
        ("@interact\ndef f(v=slider(0, 1, -1)): pass", "must be above 0"),
        ("@interact\ndef f(v=slider(0, 10^30)): pass", "give it a larger step_size"),
        ("@interact\ndef f(v=selector([])): pass", "nothing to choose from"),
        ("@interact\ndef f(v=selector([1], default=2)): pass", "not among the values"),
        ("@interact(w=3)\ndef f(v=1): pass", "has no argument 'w'"),
        ("@interact(layout=[['w']])\ndef f(v=1): pass", "there is no control 'w'"),
        ("@interact(layout={'middle': [['v']]})\ndef f(v=1): pass", "'middle' is no side"),
    ],
)
def test_what_is_no_interact_is_an_error_of_the_cell(sheet: Page, code: str, said: str) -> None:
    run = sheet.start(code)
    assert sheet.finish(run).status == Finished.ERROR
    errors = [f.traceback.value for f in sheet.frames() if f.run == run and f.traceback.name]
    assert len(errors) == 1
    assert said in errors[0]
    assert interacts(sheet, run) == []


@pytest.mark.parametrize(
    "code",
    [
        "@interact(n=(0, 4))\ndef f(n): print('n is', n)",
        "@interact(n=(0, 4))\ndef f(**kwargs): print('n is', kwargs['n'])",
        "@interact()\ndef f(n=(0, 4)): print('n is', n)",
        "def f(n): print('n is', n)\ninteract(f, n=(0, 4));",
        "@interact(n=(0, 4))\ndef f(n=2): print('n is', n)",
        "@interact\ndef f(n: int = (0, 4), auto_update=True): print('n is', n)",
    ],
)
def test_every_way_to_decorate(sheet: Page, code: str) -> None:
    run = sheet.start(code)
    assert sheet.finish(run).status == Finished.OK
    assert printed(sheet, only(sheet, run).id) == "n is 2\n"


def test_the_function_stays_a_function(sheet: Page) -> None:
    run = sheet.start("@interact\ndef double(n=(0, 4)): return 2*n\nprint(double(21))")
    sheet.finish(run)
    assert printed(sheet, "").endswith("42\n")


def test_layout_and_the_update_button(sheet: Page) -> None:
    run = sheet.start(
        "@interact(layout={'left': [['b']], 'bottom': ['auto_update']})\n"
        "def f(a=1, b=2, auto_update=False): print(a, b)"
    )
    sheet.finish(run)
    found = only(sheet, run)
    assert found.manual
    assert [control.name for control in found.controls] == ["a", "b"]
    assert json.loads(found.layout) == {
        "left": [["b"]], "bottom": [["auto_update"]], "top": [["a"]]
    }
    assert printed(sheet, found.id) == "1 2\n"


def test_sage_s_own_interacts_work(page: Page) -> None:
    run = page.start("interacts.calculus.taylor_polynomial()")
    assert page.finish(run).status == Finished.OK
    found = only(page, run)
    assert [control.kind for control in found.controls] == ["text", "input", "slider"]
    move(page, run, found.id, 1, order=4)
    assert updated(page, found.id, 1).status == Finished.OK


def test_reset_leaves_them(page: Page) -> None:
    assert page.run("interact = slider = 5; reset()").status == Finished.OK
    run = page.start("@interact\ndef f(n=slider(1, 3)): print(n)")
    page.finish(run)
    assert only(page, run).controls[0].kind == "slider"


# -- Output ------------------------------------------------------------------------


def test_each_output_is_where_it_belongs(page: Page) -> None:
    run = page.start(
        "import os, sys\n"
        "print('before')\n"
        "@interact\n"
        "def outer(n=(0, 4)):\n"
        "    print('outer', n)\n"
        "    _ = os.system('echo from a subprocess')\n"
        "    sys.stderr.write('half a line')\n"
        "    @interact\n"
        "    def inner(k=(0, 2)):\n"
        "        print('inner', k, end='')\n"
        "    print('outer again')\n"
        "print('between', end='')\n"
        "@interact\n"
        "def second(): return 17\n"
        "print('after')\n"
    )
    assert page.finish(run).status == Finished.OK
    outer, inner, second = interacts(page, run)
    assert printed(page, "") == "before\nbetweenafter\n"
    assert printed(page, outer.id) == "outer 2\nfrom a subprocess\nhalf a lineouter again\n"
    assert printed(page, inner.id) == "inner 1"
    areas = {f.interact.id: f.area for f in page.frames() if f.HasField("interact")}
    assert areas == {outer.id: "", inner.id: outer.id, second.id: ""}
    results = [f for f in page.frames() if f.HasField("bundle")]
    assert [f.area for f in results] == [second.id]
    assert results[0].bundle.parts[0].data == b"17"


def test_an_error_is_shown_in_the_area_and_the_cell_goes_on(page: Page) -> None:
    run = page.start("@interact\ndef f(n=(0, 4)): return 1/(n-2)\nprint('on')")
    assert page.finish(run).status == Finished.OK
    found = only(page, run)
    (error,) = [f for f in page.frames() if f.HasField("traceback")]
    assert (error.area, error.traceback.name) == (found.id, "ZeroDivisionError")
    assert printed(page, "") == "on\n"
    move(page, run, found.id, 1, n=3)
    assert updated(page, found.id, 1).status == Finished.OK
    move(page, run, found.id, 2, n=2)
    assert updated(page, found.id, 2).status == Finished.ERROR


def test_what_is_mistyped_is_told_by_its_label(page: Page) -> None:
    run = page.start("@interact\ndef f(g=input_box('1', 'the group')): print(g)")
    page.finish(run)
    found = only(page, run)
    move(page, run, found.id, 1, g="SymmetricGroup(")
    assert updated(page, found.id, 1).status == Finished.ERROR
    (error,) = [f.traceback for f in page.frames() if f.HasField("traceback")]
    assert error.value.startswith("the group: SyntaxError")
    move(page, run, found.id, 2, g="SymmetricGroup(3).order()")
    assert updated(page, found.id, 2).status == Finished.OK
    assert printed(page, found.id, 2) == "6\n"


def test_a_question_is_answered_in_an_update(page: Page) -> None:
    run = page.start("@interact\ndef f(n=0):\n    if n: print('Hello', input('Who? '))")
    page.finish(run)
    found = only(page, run)
    move(page, run, found.id, 1, n=1)
    asked = page.until(lambda m: m.frame.HasField("input_request")).frame
    assert (asked.area, asked.update) == (found.id, 1)
    page.send(input_reply={"run": run, "text": "Emmy"})
    assert updated(page, found.id, 1).status == Finished.OK
    assert printed(page, found.id, 1) == "Hello Emmy\n"


# -- Updates -----------------------------------------------------------------------


def test_an_update_s_frames(page: Page, site: RunningSite) -> None:
    run = page.start("@interact\ndef f(n=(0, 9), t='a', go=button()): print(n, t, go)")
    done = page.finish(run)
    found = only(page, run)
    move(page, run, found.id, 1, n=7, go=True)
    updated(page, found.id, 1)
    move(page, run, found.id, 2, t="b")
    updated(page, found.id, 2)
    steps = [f for f in page.frames() if f.update == 2]
    kinds = [f.WhichOneof("content") for f in steps]
    assert kinds == ["values", "stream", "finished"]
    assert {(f.run, f.area) for f in steps} == {(run, found.id)}
    assert json.loads(steps[0].values.values) == {"n": 7, "t": "b", "go": False}
    assert printed(page, found.id, 1) == "7 a True\n"
    assert printed(page, found.id, 2) == "7 b False\n"
    wait_recorded(site, run, steps[-1].seq)
    with query(site, "SELECT status, extract(epoch FROM finished)::float FROM runs WHERE id = %s",
               run) as rows:
        assert rows == [("ok", pytest.approx(done.time))]


def test_of_those_that_wait_only_the_newest_counts(page: Page) -> None:
    run = page.start(
        "@interact\ndef f(n=slider(0, 100), t='a'):\n    if n: print(n, t, input('Go on? '))"
    )
    page.finish(run)
    found = only(page, run)
    move(page, run, found.id, 1, n=1)
    page.until(lambda m: m.frame.HasField("input_request"))
    move(page, run, found.id, 2, t="kept")
    for number in range(3, 60):
        move(page, run, found.id, number, n=number)
    page.send(ping={})
    page.until(lambda m: m.HasField("pong"))
    behind = page.start("print('a run behind them')")
    page.until(lambda m: m.frame.run == behind and m.frame.HasField("queued"))
    page.send(input_reply={"run": run, "text": "yes"})
    page.until(lambda m: m.frame.HasField("input_request") and m.frame.update > 1)
    page.send(input_reply={"run": run, "text": "yes"})
    page.finish(behind)
    begun = [json.loads(f.values.values) for f in page.frames() if f.HasField("values")]
    assert begun == [{"n": 1, "t": "a"}, {"n": 59, "t": "kept"}]


def test_two_pages_see_the_same(page: Page, person: SignedIn) -> None:
    run = page.start("@interact\ndef f(n=(0, 9)): print('n is', n)")
    page.finish(run)
    found = only(page, run)
    other = Page(person, page.worksheet)
    other.until(lambda m: m.frame.run == run and m.frame.HasField("finished"))
    move(page, run, found.id, 1, n=3)
    assert updated(other, found.id, 1).status == Finished.OK
    move(other, run, found.id, 1, n=4)  # the same number, as both may choose it at once
    for each in (page, other):
        assert updated(each, found.id, 2).status == Finished.OK
    assert printed(page, found.id, 2) == printed(other, found.id, 2) == "n is 4\n"
    other.close()


def test_interrupt_hits_the_update(page: Page) -> None:
    run = page.start("@interact\ndef f(n=0):\n    while n: pass")
    page.finish(run)
    found = only(page, run)
    move(page, run, found.id, 1, n=1)
    page.until(lambda m: m.frame.HasField("values"))
    page.interrupt(run)
    assert updated(page, found.id, 1).status == Finished.INTERRUPTED
    (error,) = [f for f in page.frames() if f.HasField("traceback")]
    assert (error.area, error.update, error.traceback.name) == (found.id, 1, "KeyboardInterrupt")
    assert page.run("1+1").status == Finished.OK


def test_nested_interacts_are_made_anew(page: Page) -> None:
    run = page.start(
        "@interact\ndef outer(n=(0, 4)):\n"
        "    @interact\n    def inner(k=(0, 2)): print(n, k)"
    )
    page.finish(run)
    outer, first = interacts(page, run)
    move(page, run, first.id, 1, k=2)
    updated(page, first.id, 1)
    assert printed(page, first.id, 1) == "2 2\n"
    move(page, run, outer.id, 1, n=4)
    updated(page, outer.id, 1)
    _, _, second = interacts(page, run)
    assert printed(page, second.id) == "4 1\n"
    move(page, run, first.id, 2, k=0)
    assert "run the cell again" in refusal(page, first.id)
    move(page, run, second.id, 1, k=0)
    updated(page, second.id, 1)
    assert printed(page, second.id, 1) == "4 0\n"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"n": 10}, "n: it can't have the value '10'"),
        ({"n": -1}, "n: it can't"),
        ({"n": 1.5}, "n: it can't"),
        ({"n": True}, "n: it can't"),
        ({"n": "1"}, "n: it can't"),
        ({"c": 3}, "which: it can't"),
        ({"t": 5}, "t: it can't"),
        ({"m": [["1"]]}, "m: it can't"),
        ({"m": [["1", 2]]}, "m: it can't"),
        ({"colour": "red"}, "colour: it can't"),
        ({"r": [3, 2]}, "r: it can't"),
        ({"r": [0, 99]}, "r: it can't"),
        ({"text": "other"}, "text: it can't"),
        ({"other": 1}, "there is no control 'other'"),
        ([1], "must be given by name"),
    ],
)
def test_bad_values_are_refused(sheet: Page, values: Any, said: str) -> None:
    cell = str(uuid.UUID(int=99))
    code = (
        "@interact\ndef f(n=slider(0, 9), c=selector([1, 2, 3], 'which'), t='a',"
        " m=matrix([[1, 2]]), colour=Color('red'), r=range_slider(0, 5), text=text_control('x')):"
        " pass"
    )
    run = sheet.start(code, cell=cell)
    sheet.finish(run)
    found = only(sheet, run)
    sheet.send(
        update=Update(run=run, interact=found.id, number=1, values=json.dumps(values))
    )
    assert said in refusal(sheet, found.id)


def test_unknown_interacts_are_refused(sheet: Page) -> None:
    run = sheet.start("@interact\ndef f(n=(0, 9)): pass", cell=str(uuid.UUID(int=98)))
    sheet.finish(run)
    known, unknown = only(sheet, run).id, str(uuid.uuid4())
    move(sheet, run, unknown, 1, n=1)
    assert "run the cell again" in refusal(sheet, unknown)
    move(sheet, str(uuid.uuid4()), known, 1, n=1)
    assert "run the cell again" in refusal(sheet, known)
    sheet.send(update=Update(run=run, interact=known, number=1, values="{"))
    assert "can't be read" in refusal(sheet, known)
    sheet.send(update=Update(run=run, interact=known, number=2**63, values="{}"))
    assert "too large" in refusal(sheet, known)
    again = sheet.start("1", cell=str(uuid.UUID(int=98)))
    sheet.finish(again)
    move(sheet, run, known, 1, n=1)
    assert "run the cell again" in refusal(sheet, known)


def test_a_dead_session_s_interacts_are_refused(page: Page) -> None:
    run = page.start("@interact\ndef f(n=(0, 9)):\n    if n == 1: import os; os._exit(1)")
    page.finish(run)
    found = only(page, run)
    move(page, run, found.id, 1, n=1)
    ended = updated(page, found.id, 1)
    assert (ended.status, ended.reason) == (Finished.DIED, "exit code 1")
    move(page, run, found.id, 2, n=2)
    assert "the session has ended" in refusal(page, found.id)


@pytest.mark.parametrize(
    "frame",
    [
        "Frame(queued=Queued(cell='x'))",
        "Frame(values=Values(values='{}'))",
        "Frame(interact=Interact(id='no UUID'))",
        "Frame(interact=Interact(id=str(uuid.uuid4()), layout='{\"middle\": []}'))",
        "Frame(interact=Interact(id=str(uuid.uuid4()), controls=[Interact.Control(name='a',"
        " kind='slider', options='{\"count\": \"many\"}', value='0')]))",
        "Frame(interact=Interact(id=str(uuid.uuid4()), controls=[Interact.Control(name='a',"
        " kind='other', options='{}', value='0')]))",
    ],
)
def test_what_a_session_must_not_say_ends_it(page: Page, frame: str) -> None:
    page.run(
        "import uuid\nfrom app.wire.messages_pb2 import *\n"
        f"get_ipython().worker.send({frame})\nimport time; time.sleep(int(9))"
    )
    state = page.until(lambda m: m.HasField("state") and m.state.reason != "").state
    assert "it broke its own connection to the server" in state.reason


def test_a_session_cannot_end_another_s_run(page: Page, person: SignedIn) -> None:
    other = Page(person, person.new_worksheet())
    run = other.start("input('Go on? ')")
    other.until(lambda m: m.frame.HasField("input_request"))
    forged = page.start(
        "from app.wire.messages_pb2 import *\n"
        f"step = Frame(run='{run}', finished=Finished(reason='forged'))\n"
        "get_ipython().worker.send_message(Message(frame=step))\n"
    )
    assert page.finish(forged).reason == "forged"
    other.send(input_reply={"run": run, "text": "yes"})
    assert other.finish(run).reason == ""
    other.close()


# -- What is kept ------------------------------------------------------------------


class query:
    """The rows of a question to the site's database."""

    def __init__(self, site: RunningSite, sql: str, *values: Any) -> None:
        self._connection = psycopg2.connect(database_url(host.settings_in(site.data_dir)))
        self._sql, self._values = sql, values

    def __enter__(self) -> list[tuple[Any, ...]]:
        cursor = self._connection.cursor()
        cursor.execute(self._sql, self._values)
        return cursor.fetchall()

    def __exit__(self, *error: object) -> None:
        self._connection.close()


def wait_recorded(site: RunningSite, run: str, seq: int) -> None:
    with gevent.Timeout(PATIENCE):
        while True:
            with query(site, "SELECT max(seq) FROM outputs WHERE run = %s", run) as rows:
                if (rows[0][0] or 0) >= seq:
                    return
            gevent.sleep(0.05)


def test_only_the_last_state_is_kept_and_a_page_that_opens_sees_it(
    page: Page, person: SignedIn, site: RunningSite
) -> None:
    cell = str(uuid.uuid4())
    page.save(cell, "stored")
    run = page.start(
        "@interact\ndef outer(n=(0, 99)):\n    print('outer', n)\n"
        "    @interact\n    def inner(k=(0, 9)): print('inner', n, k)",
        cell=cell,
    )
    page.finish(run)
    outer, _ = interacts(page, run)
    for number in range(1, 31):
        move(page, run, outer.id, number, n=number)
        updated(page, outer.id, number)
        inner = interacts(page, run)[-1].id
        move(page, run, inner, 1, k=number % 10)
        updated(page, inner, 1)
    last = list(page.frames())[-1].seq
    wait_recorded(site, run, last)
    with query(site, "SELECT area, update, shows FROM outputs WHERE run = %s ORDER BY seq",
               run) as rows:
        kept = [row for row in rows if row[0] is not None]
        assert {(row[0], row[1]) for row in kept} == {(outer.id, 30), (inner, 1)}
        assert [row[2] for row in kept if row[2]] == [inner]
    fresh = Page(person, page.worksheet)
    fresh.until_state(State.IDLE)
    assert printed(fresh, outer.id, 30) == "outer 30\n"
    assert printed(fresh, inner, 1) == "inner 30 0\n"
    assert "outer 29" not in fresh.printed()
    move(fresh, run, inner, 2, k=7)
    updated(fresh, inner, 2)
    assert printed(fresh, inner, 2) == "inner 30 7\n"
    fresh.close()


def step(seq: int, area: str = "", update: int = 0, **content: Any) -> Frame:
    return Frame(run=str(uuid.UUID(int=5)), seq=seq, area=area, update=update, **content)


STEPS = [
    step(1, queued=Queued(cell=str(uuid.UUID(int=6)), worksheet=str(uuid.UUID(int=7)))),
    step(2, interact=Interact(id=AREA)),
    step(3, AREA, interact=Interact(id=INNER)),
    step(4, INNER, stream={"text": "first"}),
    step(5, finished=Finished(status=Finished.OK, time=1.0)),
    step(6, INNER, 7, values=Values()),
    step(7, INNER, 7, finished=Finished(status=Finished.ERROR, time=2.0)),
    step(8, AREA, 1, values=Values()),
    step(9, AREA, 1, stream={"text": "second"}),
    step(10, AREA, 1, finished=Finished(status=Finished.INTERRUPTED, time=3.0)),
]


def test_updates_leave_the_run_s_row_alone() -> None:
    rows = rows_of("s", [Message(frame=each).SerializeToString() for each in STEPS])
    assert [row[2] for row in rows.finished] == ["ok"]
    assert rows.updated == {(STEPS[0].run, INNER): 7, (STEPS[0].run, AREA): 1}


def test_what_an_update_has_replaced_goes_with_what_is_nested_in_it(database: Database) -> None:
    run = STEPS[0].run
    with database.transaction() as cursor:
        for each in STEPS:
            cursor.execute(
                "INSERT INTO outputs (session, run, seq, frame, area, update, shows)"
                " VALUES (%s, %s, %s, '', %s, %s, %s)",
                (run, run, each.seq, each.area or None, each.update, each.interact.id or None),
            )
        forget_replaced(cursor, run, AREA, 1)
        cursor.execute("SELECT seq FROM outputs ORDER BY seq")
        assert [seq for (seq,) in cursor.fetchall()] == [1, 2, 5, 8, 9, 10]


def test_an_update_that_has_begun_is_unfinished(tmp_path: Path) -> None:
    journal = Journal.create(
        tmp_path / "j", Opened(session="s", worksheet="w"), ring=1000, on_change=lambda: None
    )
    for each in STEPS[:9]:
        journal.append(each)
    assert journal.unfinished() == [Begun(STEPS[0].run, AREA, 1)]
    journal.append(STEPS[9])
    assert journal.unfinished() == []


def of_slider(id: str, area: str = "", run: str = "r") -> Frame:
    control = Interact.Control(name="n", kind="slider", options=SLIDER, value="0")
    return Frame(run=run, area=area, interact=Interact(id=id, controls=[control]))


def test_numbers_of_updates_grow_whatever_a_page_says() -> None:
    known = Interacts()
    known.add(shown(of_slider(AREA), "r", "c"))
    numbers = [
        known.wanted(Update(run="r", interact=AREA, number=n, values="{}"), None).number
        for n in (5, 5, 2, 9)
    ]
    assert numbers == [5, 6, 7, 9]


def test_what_is_nested_is_forgotten_with_what_holds_it() -> None:
    known = Interacts()
    known.add(shown(of_slider(AREA), "r", "c"))
    known.add(shown(of_slider(INNER, AREA), "r", "c"))
    order = known.wanted(Update(run="r", interact=AREA, number=1, values='{"n": 3}'), None)
    known.begin(order)
    assert AREA in known
    assert INNER not in known
    known.forget_cell("c")
    with pytest.raises(BadUpdate):
        known.wanted(order, None)


def test_an_interact_that_begins_with_what_it_cannot_have_makes_no_sense() -> None:
    control = Interact.Control(name="n", kind="slider", options=SLIDER, value="10")
    with pytest.raises(ProtocolError):
        shown(Frame(interact=Interact(id=AREA, controls=[control])), "r", "c")
