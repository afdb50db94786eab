"""What keeps output: marks in the pipe, the journal, and its rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.sage.journal import Begun, Journal, Ring
from app.sage.recorder import rows_of
from app.sage.session import end_runs
from app.sage.splitter import MARK_SIZE, Splitter, mark
from app.wire.decoder import parse
from app.wire.messages_pb2 import Finished, Frame, Message, Opened, Queued, Started, Stream

SECRET = bytes(range(65, 65 + MARK_SIZE))
PIPE = b"one" + mark(SECRET, 1) + mark(SECRET, 2) + SECRET[:5] + b"two" + mark(SECRET, 3) + b"end"


def joined(pieces: list[bytes | int]) -> list[bytes | int]:
    """Pieces with neighbouring output put together."""
    result: list[bytes | int] = []
    for piece in pieces:
        if isinstance(piece, bytes) and result and isinstance(result[-1], bytes):
            result[-1] += piece
        else:
            result.append(piece)
    return result


@pytest.mark.parametrize("size", range(1, len(PIPE) + 1))
def test_marks_are_found_however_the_pipe_is_read(size: int) -> None:
    splitter = Splitter(SECRET)
    pieces: list[bytes | int] = []
    for start in range(0, len(PIPE), size):
        pieces += splitter.feed(PIPE[start : start + size])
    pieces.append(splitter.rest())
    assert joined(pieces) == [b"one", 1, 2, SECRET[:5] + b"two", 3, b"end"]


def test_what_looks_like_a_mark_is_output_in_the_end() -> None:
    splitter = Splitter(SECRET)
    assert splitter.feed(b"x" + SECRET[:9]) == [b"x"]
    assert splitter.rest() == SECRET[:9]


def test_a_ring_keeps_its_limit_and_always_the_last() -> None:
    ring = Ring(10)
    for payload in (b"aaaa", b"bbbb", b"cccc", b"d" * 50):
        ring.append(payload)
    assert ring.first == 4
    assert list(ring.since(3)) == [b"d" * 50]


def text(line: str, run: str = "r1") -> Frame:
    return Frame(run=run, stream=Stream(text=line))


def journal_at(path: Path, ring: int = 200) -> Journal:
    opened = Opened(session="s", worksheet="w", time=1.0)
    return Journal.create(path, opened, ring=ring, on_change=lambda: None)


def lines(journal: Journal, after: int = 0, limit: int = 500) -> list[str]:
    found: list[str] = []
    while payloads := journal.read(after, limit):
        found += [parse(payload).frame.stream.text for payload in payloads]
        after += len(payloads)
    return found


@pytest.mark.parametrize("limit", [1, 100, 10**6])
@pytest.mark.parametrize("after", [0, 1, 50, 98, 99, 100])
def test_every_place_in_a_journal_can_be_read_from(tmp_path: Path, after: int, limit: int) -> None:
    journal = journal_at(tmp_path / "j")
    for number in range(100):
        journal.append(text(f"line {number}"))
    assert lines(journal, after, limit) == [f"line {number}" for number in range(after, 100)]


def test_a_killed_server_s_journal_is_recovered_without_its_torn_end(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = journal_at(path)
    journal.append(Frame(run="r1", queued=Queued(cell="c", code="1")))
    journal.append(Frame(run="r2", queued=Queued(cell="c", code="2")))
    journal.append(text("seen"))
    journal.append(Frame(run="r1", finished=Finished()))
    journal.close()
    with path.open("ab") as file:
        file.write(b"\0\0\0\x50half a reco")
    found = Journal.recover(path, ring=200, max_message=1000)
    assert found is not None
    assert found.last == 4
    assert not found.ended
    assert found.unfinished() == [Begun("r2")]
    end_runs(found, "killed", found.unfinished())
    found.end("killed", 2.0)
    found.close()
    again = Journal.recover(path, ring=200, max_message=1000)
    assert again is not None
    assert again.ended
    assert again.state.reason == "killed"
    assert again.unfinished() == []


def test_a_journal_that_never_began_is_none(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b"\0\0")
    assert Journal.recover(path, ring=200, max_message=1000) is None


def test_frames_become_rows() -> None:
    steps = [
        Frame(run="r", seq=1, queued=Queued(cell="c", code="1", worksheet="w", time=1.0)),
        Frame(run="r", seq=2, started=Started(time=2.0)),
        Frame(run="r", seq=3, stream=Stream(text="x")),
        Frame(run="r", seq=4, finished=Finished(status=Finished.DIED, reason="why", time=3.0)),
    ]
    rows = rows_of("s", [Message(frame=step).SerializeToString() for step in steps])
    assert [row[:5] for row in rows.runs] == [("r", "s", "w", "c", "1")]
    assert [(row[0], row[2], row[3]) for row in rows.finished] == [("r", "died", "why")]
    assert [row[2] for row in rows.outputs] == [1, 2, 3, 4]
