"""A whole site, asked over its WebSocket: computing, bad input, access."""

from __future__ import annotations

import uuid

import pytest
import requests
import websocket

from app.wire.messages_pb2 import (
    Attach,
    Cancel,
    Complete,
    End,
    Execute,
    Finished,
    InputReply,
    Inspect,
    Message,
    Restart,
    State,
)
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite

# --- Computing ------------------------------------------------------------------


def test_a_result_comes_typeset(page: Page) -> None:
    assert page.run("factor(2^100-1)").status == Finished.OK
    parts = {
        part.type: part.data.decode()
        for frame in page.frames()
        for part in frame.bundle.parts
    }
    assert parts["text/plain"].startswith("3 * 5^3 * 11 * 31")
    assert parts["text/latex"].startswith(r"$\displaystyle 3 \cdot 5^{3}")


def test_a_fresh_session_has_no_results_yet(page: Page) -> None:
    page.run("print([_, __, ___, Out, len(In)], '_0' in globals(), '_1' in globals())")
    assert page.printed() == "['', '', '', {}, 2] False False\n"


@pytest.mark.parametrize("call", ["print(i)", "print(i, flush=True)"])
def test_every_line_comes_in_order(page: Page, call: str) -> None:
    run = page.start(f"for i in range(10^4): {call}")
    page.finish(run)
    assert page.printed(run) == "".join(f"{i}\n" for i in range(10**4))


def test_output_of_all_kinds_keeps_its_order(page: Page) -> None:
    page.run(
        "import os, sys, ctypes, subprocess\n"
        "print('a'); os.write(1, b'b\\n'); print('c', file=sys.stderr)\n"
        "_ = ctypes.CDLL(None).puts(b'd'); _ = subprocess.run(['echo', 'e'])\n"
        "from IPython.display import display; display(int(6)); print('g')\n"
        "os.write(1, b'\\xff\\xfe')"
    )
    said = [
        frame.stream.text or "".join(part.data.decode() for part in frame.bundle.parts)
        for frame in page.frames()
        if frame.HasField("stream") or frame.HasField("bundle")
    ]
    assert "".join(said).replace("\n", "") == r"abcde6g\xff\xfe2"


def test_an_interrupted_session_goes_on(page: Page) -> None:
    page.run("a = 42")
    run = page.start("while True: pass")
    page.until(lambda m: m.frame.run == run and m.frame.HasField("started"))
    page.interrupt(run)
    assert page.finish(run).status == Finished.INTERRUPTED
    page.run("a")
    assert page.results()[-1] == "42"


def test_c_code_can_be_interrupted(page: Page) -> None:
    run = page.start("factor(2^1024+1)")
    page.until(lambda m: m.frame.run == run and m.frame.HasField("started"))
    page.interrupt()
    assert page.finish(run).status == Finished.INTERRUPTED


def test_an_interrupt_right_after_the_start_is_not_lost(page: Page) -> None:
    run = page.start("while True: pass")
    page.interrupt(run)
    assert page.finish(run).status in (Finished.INTERRUPTED, Finished.CANCELLED)


def test_an_interrupt_just_before_the_cell_is_not_lost(page: Page) -> None:
    page.run(
        "import os, signal\n"
        "def interrupt(info): raise_now() if os.path.exists('now') else None\n"
        "def raise_now(): os.remove('now'); os.kill(os.getpid(), signal.SIGINT)\n"
        "get_ipython().events.register('pre_run_cell', interrupt)\n"
        "open('now', 'w').close()"
    )
    assert page.run("print('never')").status == Finished.INTERRUPTED
    assert page.run("print('then')").status == Finished.OK
    assert page.printed() == "then\n"


def test_mistakes_of_what_is_called_before_each_cell_are_told(page: Page) -> None:
    page.run("def bad(info): 1/0\nget_ipython().events.register('pre_run_cell', bad)")
    assert page.run("print('still')").status == Finished.OK
    assert "pre_run_cell" in page.printed()
    assert page.printed().endswith("still\n")
    assert any(frame.traceback.name == "ZeroDivisionError" for frame in page.frames())


def test_runs_queue_in_order_and_can_be_cancelled(page: Page) -> None:
    first = page.start("b = input()")
    second, third = page.start("print('never')"), page.start("print(b)")
    page.until(lambda m: m.frame.HasField("input_request"))
    page.send(cancel=Cancel(run=second))
    assert page.finish(second).status == Finished.CANCELLED
    page.send(input_reply=InputReply(run=first, text="yes"))
    page.finish(third)
    assert page.printed() == "yes\n"


def test_a_repeated_order_runs_once(page: Page) -> None:
    order = Execute(run=str(uuid.uuid4()), cell=str(uuid.uuid4()), code="print('once')")
    page.send(execute=order)
    page.send(execute=order)
    page.finish(order.run)
    page.run("1")
    assert page.printed() == "once\n"


def test_completion_and_help(page: Page) -> None:
    page.run("my_variable = 1")
    page.send(complete=Complete(request="q", code="1 + my_var", cursor=10))
    reply = page.until(lambda m: m.HasField("complete_reply")).complete_reply
    assert "my_variable" in reply.matches
    assert (reply.start, reply.end) == (4, 10)
    page.send(inspect=Inspect(request="h", code="factor", cursor=3))
    found = page.until(lambda m: m.HasField("inspect_reply")).inspect_reply
    assert found.found
    assert "factorization" in found.text


def test_while_it_computes_sage_s_own_names_are_known(page: Page) -> None:
    page.run("salamander_one = 7")
    run = page.start("while True: pass")
    page.until(lambda m: m.frame.HasField("started"))
    page.send(complete=Complete(request="known", code="factoria", cursor=8))
    reply = page.until(lambda m: m.HasField("complete_reply")).complete_reply
    assert reply.partial
    assert "factorial" in reply.matches
    page.send(complete=Complete(request="own", code="salaman", cursor=7))
    reply = page.until(lambda m: m.HasField("complete_reply")).complete_reply
    assert (reply.busy, reply.partial, list(reply.matches)) == (True, False, [])
    page.send(inspect=Inspect(request="help", code="factorial", cursor=9))
    help_ = page.until(lambda m: m.HasField("inspect_reply")).inspect_reply
    assert help_.found
    assert help_.partial
    page.interrupt(run)
    page.finish(run)
    page.send(complete=Complete(request="again", code="salaman", cursor=7))
    reply = page.until(lambda m: m.HasField("complete_reply")).complete_reply
    assert list(reply.matches) == ["salamander_one"]
    assert not reply.partial


def test_a_restart_forgets(page: Page) -> None:
    page.run("c = 1")
    page.send(restart=Restart())
    assert page.run("c").status == Finished.ERROR
    reasons = [m.state.reason for m in page.messages if m.state.kind == State.DEAD]
    assert reasons == ["restarted"]


# --- Bad input --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import sys; sys.stdout.close()", Finished.OK),
        ("import os; os.close(1)", Finished.OK),
        ("class A:\n    def __repr__(self): raise ValueError('no')\nA()", Finished.OK),
        ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", Finished.ERROR),
        ("print('x' * 100_000)", Finished.OK),
        ("print('a\\0b')", Finished.OK),
        ("exit", Finished.OK),
        ("1 +", Finished.ERROR),
        ("'\\ud800'", Finished.OK),
    ],
)
def test_a_session_survives(page: Page, code: str, status: Finished.Status) -> None:
    assert page.run(code).status == status
    run = page.start("print('still here')")
    page.finish(run)
    assert page.printed(run) == "still here\n"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os._exit(1)", "exit code 1"),
        ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL"),
    ],
)
def test_a_death_is_told_with_its_reason(page: Page, code: str, reason: str) -> None:
    run = page.start(f"print('last words')\n{code}")
    finished = page.finish(run)
    assert (finished.status, finished.reason) == (Finished.DIED, reason)
    assert page.printed(run) == "last words\n"
    assert page.until_state(State.DEAD).reason == reason
    assert page.run("1+1").status == Finished.OK


def test_too_much_output_is_cut_visibly_and_the_run_goes_on(page: Page) -> None:
    run = page.start("for i in range(50): print('x' * 10^6)\nd = 7")
    assert page.finish(run).status == Finished.OK
    limits = [frame.truncated.limit for frame in page.frames() if frame.HasField("truncated")]
    assert limits == [2_000_000]
    assert 1_900_000 < len(page.printed(run)) <= 2_000_000
    page.run("d")
    assert page.results()[-1] == "7"


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (Execute(run="no uuid", cell=str(uuid.uuid4()), code="1"), "no UUID"),
        (Execute(run=str(uuid.uuid4()), cell=str(uuid.uuid4()), code="1\0"), "NUL"),
    ],
)
def test_a_bad_order_is_refused_with_its_reason(page: Page, order: Execute, reason: str) -> None:
    page.send(execute=order)
    refused = page.until(lambda m: m.HasField("refused")).refused
    assert reason in refused.reason
    assert refused.about == order.run
    assert page.run("1").status == Finished.OK


@pytest.mark.parametrize("raw", [b"garbage", b"", Message(channel=9).SerializeToString()])
def test_a_malformed_message_is_refused_and_the_page_lives_on(page: Page, raw: bytes) -> None:
    page.socket.send_binary(raw)
    page.until(lambda m: m.HasField("refused"))
    assert page.run("1").status == Finished.OK


def test_an_oversized_message_ends_the_connection(page: Page) -> None:
    with pytest.raises((websocket.WebSocketException, OSError)):
        page.socket.send_binary(b"x" * (2 << 20))
        for _ in range(100):
            page.receive()


# --- Saving -----------------------------------------------------------------------


def test_a_saved_cell_is_stored_and_shown_to_others(person: SignedIn, page: Page) -> None:
    other = Page(person, page.worksheet)
    other.until(lambda m: m.HasField("worksheet"))
    cell = str(uuid.uuid4())
    page.save(cell, "2+2")
    assert page.until(lambda m: m.HasField("cell_saved")).cell_saved.revision == 1
    assert other.until(lambda m: m.HasField("cell")).cell.code == "2+2"
    other.close()
    again = Page(person, page.worksheet)
    stored = again.until(lambda m: m.HasField("worksheet")).worksheet
    assert [each.code for each in stored.cells] == ["2+2"]
    again.close()


# --- Access -----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/worksheets", "/status", "/no-such-page", "/?token=wrong"])
def test_strangers_are_refused(site: RunningSite, path: str) -> None:
    response = requests.get(f"http://127.0.0.1:{site.port}{path}", timeout=30)
    assert response.status_code == 403
    assert "make run" in response.text


def test_a_token_works_once(site: RunningSite) -> None:
    address = site.new_address()
    assert requests.get(address, timeout=30).status_code == 200
    assert requests.get(address, timeout=30).status_code == 403


def test_alive_is_open_and_unknown_pages_are_404(site: RunningSite, person: SignedIn) -> None:
    assert requests.get(f"{person.origin}/alive", timeout=30).json() == {"alive": True}
    assert person.http.get(f"{person.origin}/no-such-page", timeout=30).status_code == 404
    unknown = f"{person.origin}/w/{uuid.uuid4()}"
    assert person.http.get(unknown, timeout=30).status_code == 404


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_a_socket_of_another_origin_is_refused(person: SignedIn, origin: str) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        websocket.create_connection(
            f"{person.origin.replace('http', 'ws')}/socket/{person.worksheet}",
            origin=origin,
            cookie=person.cookie(),
            timeout=30,
        )


def test_a_socket_without_cookie_is_refused(person: SignedIn) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        websocket.create_connection(
            f"{person.origin.replace('http', 'ws')}/socket/{person.worksheet}",
            origin=person.origin,
            timeout=30,
        )


def test_an_unknown_worksheet_is_refused(person: SignedIn) -> None:
    stray = Page(person, str(uuid.uuid4()))
    assert "no such worksheet" in stray.until(lambda m: m.HasField("refused")).refused.reason
    stray.close()


# --- Never lost -------------------------------------------------------------------

LINES = "from time import sleep as nap\nfor i in range(40): print(i); nap(float(0.05))"
EXPECTED = "".join(f"{i}\n" for i in range(40))


def test_a_page_that_comes_back_gets_the_rest_once(person: SignedIn, page: Page) -> None:
    cell = str(uuid.uuid4())
    page.save(cell, LINES)
    run = page.start(LINES, cell=cell)
    last = page.until(lambda m: m.frame.HasField("stream")).frame
    page.close()
    back = Page(person, page.worksheet, session=last.session, after=last.seq)
    back.finish(run)
    assert page.printed(run) + back.printed(run) == EXPECTED
    newcomer = Page(person, page.worksheet)
    newcomer.finish(run)
    assert newcomer.printed(run) == EXPECTED
    back.close()
    newcomer.close()


def test_a_run_of_a_cell_that_was_never_saved_is_not_lost(person: SignedIn, page: Page) -> None:
    run = page.start("print(6*7)", cell=str(uuid.uuid4()))
    page.finish(run)
    page.send(end=End())
    page.until_state(State.DEAD)
    page.close()
    later = Page(person, page.worksheet)
    assert later.finish(run).status == Finished.OK
    queued = next(frame.queued for frame in later.frames() if frame.run == run)
    assert (queued.code, later.printed(run)) == ("print(6*7)", "42\n")
    later.close()


def test_two_pages_see_the_same(person: SignedIn, page: Page) -> None:
    other = Page(person, page.worksheet)
    other.until(lambda m: m.HasField("state"))
    run = page.start("for i in range(1000): print(i)")
    page.finish(run)
    other.finish(run)
    assert [f for f in page.frames() if f.run == run] == [f for f in other.frames() if f.run == run]
    other.close()


def test_a_page_that_does_not_take_its_output_holds_nobody_up(person: SignedIn, page: Page) -> None:
    idle = Page(person, page.worksheet)  # never reads, never acknowledges
    run = page.start("for i in range(15): print('x' * 10^5)")
    assert page.finish(run).status == Finished.OK
    idle.close()


def test_attaching_again_on_the_same_socket_is_harmless(page: Page) -> None:
    page.send(attach=Attach(worksheet=page.worksheet))
    assert page.run("1").status == Finished.OK


def test_the_status_is_told_as_json_and_on_the_command_line(site: RunningSite) -> None:
    assert "sessions" in site.run("status")
