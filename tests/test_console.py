"""`python salvus.py console` with a real sage server, at a terminal and without one."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.sage.console import address_of
from app.sage.statements import indentation, is_complete, is_leaving
from app.settings import ROOT
from app.wire.messages_pb2 import End, State
from supervisor import certs
from tests import host
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite, kill_all, supervised
from tests.terminal import Terminal

PROMPT = "sage:"
CONSOLE = [sys.executable, "salvus.py", "console"]


@pytest.fixture(scope="module")
def small() -> Iterator[RunningSite]:
    """A site of two sessions."""
    host.needs_sage()
    with host.short_folder() as folder:
        running = supervised(
            folder,
            sage_max_sessions="2",
            sage_sample_seconds="0.1",
            sage_warn_seconds="3600",
            limits_idle_seconds="3603",
            limits_run_output="100000",
        )
        running.environment["XDG_STATE_HOME"] = str(folder / "state")
        running.start()
        yield running
        running.stop()


@pytest.fixture
def terminal(small: RunningSite) -> Iterator[Terminal]:
    """A console at a terminal, at its prompt."""
    opened = Terminal(CONSOLE, small.environment)
    opened.expect(PROMPT)
    yield opened
    opened.close()


def piped(
    site: RunningSite, code: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The console with `code` on its standard input, and no terminal."""
    return subprocess.run(
        [*CONSOLE, *arguments],
        input=code,
        cwd=ROOT,
        env=site.environment | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


# --- Without a terminal ---------------------------------------------------------------


def test_what_is_piped_in_is_run(small: RunningSite) -> None:
    assert piped(small, "2+2").stdout == "4\n"
    several = piped(small, "for i in range(3):\n    print(i)\nmatrix(2, [1, 2, 3, 4])\n")
    assert (several.returncode, several.stdout) == (0, "0\n1\n2\n[1 2]\n[3 4]\n")
    assert several.stderr == ""


def test_how_it_ended_is_the_exit_code(small: RunningSite) -> None:
    failed = piped(small, "print('so far')\n1/0")
    assert (failed.returncode, failed.stdout) == (1, "so far\n")
    assert failed.stderr == (
        "This cell, line 2\n    1/0\nZeroDivisionError: rational division by zero\n"
    )
    assert "integer.pyx" in piped(small, "1/0", "--full").stderr
    died = piped(small, "import os; os._exit(3)")
    assert (died.returncode, died.stderr) == (1, "[the session ended: exit code 3]\n")
    asked = piped(small, "input('Name? ')")
    assert asked.returncode == 130
    assert "nobody is here to answer" in asked.stderr


def test_pictures_become_files(small: RunningSite, tmp_path: Path) -> None:
    code = "show(plot(x, (x, 0, 1)))\nshow(plot(x, (x, 0, 1), figsize=2), dpi=50)"
    (tmp_path / "picture-1.svg").write_text("of mine")
    done = piped(small, code, "--pictures", str(tmp_path))
    assert f"[picture: {tmp_path}/picture-2.svg]" in done.stderr
    assert b"<svg" in (tmp_path / "picture-2.svg").read_bytes()
    assert (tmp_path / "picture-1.svg").read_text() == "of mine"
    assert "3D scene" in piped(small, "sphere()").stderr


def test_whoever_reads_may_stop(small: RunningSite) -> None:
    shell = f"echo 'for i in range(10^4): print(i)' | {' '.join(CONSOLE)} | head -n 2"
    done = subprocess.run(shell, shell=True, cwd=ROOT, env=small.environment,
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert (done.stdout, done.stderr) == ("0\n1\n", "")


def test_output_is_cut_and_that_is_said(small: RunningSite) -> None:
    cut = piped(small, "for i in range(300): print('x' * 999)")
    assert cut.returncode == 0
    assert "output truncated at 100.0 kB" in cut.stderr


def test_nobody_there_is_told(small: RunningSite) -> None:
    port = host.free_port()
    away = piped(small, "1", f"127.0.0.1:{port}")
    assert away.returncode == 1
    assert f"no sage server answers at 127.0.0.1:{port} (Connection refused)" in away.stderr
    wrong = piped(small, "1", f"127.0.0.1:{small.port}")
    assert "or is no sage server" in wrong.stderr
    with host.silent_server() as silent:
        mute = piped(small, "1", f"127.0.0.1:{silent}", SALVUS_WIRE_HELLO_SECONDS="0.5")
    assert f"no sage server answers at 127.0.0.1:{silent}" in mute.stderr


def test_strangers_are_told_what_they_lack(small: RunningSite, tmp_path: Path) -> None:
    def elsewhere() -> str:
        done = piped(small, "1", SALVUS_SITE_DATA_DIR=str(tmp_path))
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        return done.stderr

    assert f"{tmp_path}/token is not there" in elsewhere()
    assert not list(tmp_path.iterdir())
    (tmp_path / "token").write_text("another")
    certs.ensure(tmp_path, ["127.0.0.1"])
    assert "shows a certificate that is not of this site" in elsewhere()
    ours = (small.data_dir / "certificates" / "ca.pem").read_text()
    (tmp_path / "certificates" / "ca.pem").write_text(ours)
    assert "does not accept this host's certificate" in elsewhere()
    for name in ("ca.pem", "host.pem", "host.key"):
        text = (small.data_dir / "certificates" / name).read_text()
        (tmp_path / "certificates" / name).write_text(text)
    assert "not the token of this site" in elsewhere()
    (tmp_path / "certificates" / "host.pem").write_text("damaged")
    assert "no usable certificate" in elsewhere()


# --- At a terminal --------------------------------------------------------------------


def test_lines_blocks_and_history(terminal: Terminal, small: RunningSite) -> None:
    terminal.type("6*7\r")
    terminal.expect("\n42\n")
    terminal.type("def f(n):\rreturn n^2\r\r")
    terminal.type("f(11)\r")
    terminal.expect("\n121\n")
    terminal.expect(PROMPT)
    terminal.type("\x1b[A\r")  # the one before, again
    terminal.expect("\n121\n")
    terminal.expect(PROMPT)
    terminal.type("\x04")
    assert terminal.ends() == 0
    again = Terminal(CONSOLE, small.environment)
    again.expect(PROMPT)
    again.type("\x1b[A\r")
    again.expect("NameError")
    again.close()


def test_tab_completes_and_a_question_mark_explains(terminal: Terminal) -> None:
    terminal.type("salamander_one, salamander_two = 4, 5; print('do' + 'ne')\r")
    terminal.expect("\ndone\n")
    terminal.expect(PROMPT)
    terminal.type("salam\t")
    terminal.expect("salamander_two")
    terminal.type("\t\t\r\r")
    terminal.expect("\n5\n")
    terminal.type("factor?\r")
    terminal.expect("Return the factorization")


def test_output_comes_in_order_while_it_runs(terminal: Terminal) -> None:
    terminal.type(
        "import sys; print('one'); print('two', file=sys.stderr); print('three'); input('Go? ')\r"
    )
    assert "two\nthree\n" in terminal.expect("\nGo?")
    terminal.type("\x03")
    terminal.expect("KeyboardInterrupt")


def test_errors_are_coloured(terminal: Terminal) -> None:
    terminal.type("1/0\r")
    terminal.expect("rational division by zero")
    assert "\x1b[1;31mZeroDivisionError\x1b[0m" in terminal.raw


def test_a_question_is_answered(terminal: Terminal) -> None:
    terminal.type("name = input('Who? '); print('Hello', name.upper())\r")
    terminal.expect("\nWho?")
    terminal.type("Emmy\r")
    terminal.expect("Hello EMMY")


def test_ctrl_c_interrupts_and_does_not_leave(terminal: Terminal) -> None:
    terminal.type("a = 41; print('be' + 'gun'); exec('while True: pass')\r")
    terminal.expect("\nbegun\n")
    terminal.type("\x03")
    terminal.expect("KeyboardInterrupt")
    terminal.expect(PROMPT)
    terminal.type("for i in [1]:\x03")  # at the prompt, too: the line is dropped
    terminal.expect(PROMPT)
    terminal.type("a + 1\r")
    terminal.expect("\n42\n")


def test_a_deaf_run_can_be_ended(terminal: Terminal) -> None:
    terminal.type(
        "import signal; _ = signal.signal(signal.SIGINT, signal.SIG_IGN); print('de' + 'af');"
        " exec('while True: pass')\r"
    )
    terminal.expect("\ndeaf\n")
    terminal.type("\x03")
    terminal.expect("Ctrl-\\ ends the session")
    terminal.type("\x1c")
    terminal.expect("the session ended: you ended it")
    terminal.type("6*7\r")
    terminal.expect("\n42\n")


def test_a_dead_session_is_told_with_its_reason(terminal: Terminal) -> None:
    terminal.type("import os; os._exit(int(3))\r")
    terminal.expect("[the session ended: exit code 3]")
    terminal.type("6*7\r")
    terminal.expect("\n42\n")


def test_the_queue_is_told_and_can_be_left(terminal: Terminal, small: RunningSite) -> None:
    someone = SignedIn(small.new_address())
    pages = [Page(someone, someone.new_worksheet()) for _ in range(2)]
    for page in pages:
        page.run("1")
    terminal.type("print('at ' + 'last')\r")
    terminal.expect("place 1 in the queue: this server has as many sessions as it may have (2)")
    terminal.type("\x03")
    terminal.expect("you left the queue")
    terminal.type("print('at ' + 'last')\r")
    terminal.expect("place 1 in the queue")
    for page in pages:
        page.send(end=End())
        page.until_state(State.DEAD)
        page.close()
    terminal.expect("at last")


def test_an_idle_session_warns_and_typing_keeps_it(terminal: Terminal) -> None:
    terminal.type("6*7\r")
    terminal.expect("nobody uses this session: it ends in 3600 s; typing something keeps it")


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_window_ends_the_session(small: RunningSite, how: signal.Signals) -> None:
    for _ in range(3):  # of which two would take all sessions there are
        opened = Terminal(CONSOLE, small.environment)
        opened.expect(PROMPT)
        opened.type("6*7\r")
        opened.expect("\n42\n")
        opened.close(how)


def test_a_lost_server_is_told_and_found_again(terminal: Terminal, small: RunningSite) -> None:
    terminal.type("print('be' + 'gun'); input()\r")
    terminal.expect("begun")
    kill_all(small.processes("salvus.py sage"))
    terminal.expect("connection lost")
    terminal.expect("connected again")
    terminal.expect("[the session ")  # ended, or is over and recorded
    terminal.expect(PROMPT)
    terminal.type("6*7\r")
    terminal.expect("\n42\n")


# --- Rules ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2+2", True),
        ("", True),
        ("# only a comment", True),
        ("f(1,", False),
        ("f(1,\n2)", True),
        ("[1..5]", True),
        ("R.<x> = QQ[]", True),
        ("'''one", False),
        ("'''one\ntwo'''", True),
        ("'one", True),  # wrong, which the session tells
        ("x = 1 + \\", False),
        ("if a:", False),
        ("if a: # because", False),
        ("if a: pass", True),
        ("for i in x:\n    i", False),
        ("for i in x:\n    i\n", True),
        ("for i in x:\n    K.<a> = f(i)", False),
        ("for i in x:\n    K.<a> = f(i)\n    ", True),
        ("def f():\n    return (1,\n", False),
        ("@interact", False),
        ("@interact\ndef f(n=3):\n    n\n", True),
        ("if x:\n  if y:\n    z\n w\n", True),  # wrong
        ("%time 2+2", True),
        ("%gap", True),
        ("%gap\nOrder(", False),
        ("%gap\nOrder(G)\n", True),
        ("%%sh\nls", False),
        ("%%sh", False),
        ("!ls 'it", True),
        ("factor?", True),
        ("?factor", True),
        ("{1: 2}", True),
        ("d = {'a':", False),
    ],
)
def test_when_a_line_is_complete(text: str, expected: bool) -> None:
    assert is_complete(text) is expected


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("if a:", "    "),
        ("    if a:", "        "),
        ("if a:\n    b", "    "),
        ("if a:\n    return", ""),
        ("f(1,", ""),
        ("        return x", "    "),
    ],
)
def test_how_the_next_line_begins(before: str, expected: str) -> None:
    assert indentation(before) == expected


@pytest.mark.parametrize("text", ["exit", "quit", "exit()", " quit ( ) "])
def test_words_that_leave(text: str) -> None:
    assert is_leaving(text)
    assert not is_leaving(f"{text}s")


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("", "127.0.0.1:8100"),
        ("sage2", "sage2:8100"),
        ("sage2:9", "sage2:9"),
        ("::1", "[::1]:8100"),
        ("[::1]:9", "[::1]:9"),
    ],
)
def test_which_server_is_meant(data_dir: Path, given: str, address: str) -> None:
    assert address_of(given, host.settings_in(data_dir)) == address


@pytest.mark.parametrize("given", ["a:b", "a:99999", "[::1", "a b:"])
def test_what_is_no_server(data_dir: Path, given: str) -> None:
    with pytest.raises(Exception, match=re.escape("neither a name nor name:port")):
        address_of(given, host.settings_in(data_dir))
