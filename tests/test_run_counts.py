"""Runs within an hour: what counts, until when, and what several servers make of it together."""

from __future__ import annotations

import pytest

from app.sage.run_counts import RunCounts

NOON = 1_800_000_000.0 // 3600 * 3600


def at(minutes: float) -> float:
    return NOON + 60 * minutes


def counted(*minutes: float) -> RunCounts:
    counts = RunCounts()
    for minute in minutes:
        counts.count("a", at(minute))
    return counts


@pytest.mark.parametrize(
    ("began", "allowed", "now", "next_at"),
    [
        ([], 1, 0, 0),
        ([0], 2, 1, 1),
        ([0], 1, 1, 60),
        ([0.9], 1, 1, 60),  # counted by the minute, from its beginning
        ([0], 1, 59.99, 60),
        ([0], 1, 60, 60),
        ([0, 10, 20], 3, 30, 60),
        ([0, 10, 20], 2, 30, 70),  # fewer are allowed than before
        ([0, 10, 20], 1, 30, 80),
        ([0, 0, 0, 50], 3, 55, 60),
        ([-60, -61], 1, 0, 0),
    ],
)
def test_when_the_next_may_begin(
    began: list[float], allowed: int, now: float, next_at: float
) -> None:
    counts = counted(*began)
    assert counts.wait_seconds("a", allowed, at(now)) == pytest.approx(60 * (next_at - now))
    assert counts.wait_seconds("b", 1, at(now)) == 0


def test_a_whole_hour_of_them_is_allowed_and_no_more() -> None:
    counts = RunCounts()
    allowed = [minute for minute in range(180) if _begins(counts, minute)]
    assert allowed == [*range(5), *range(60, 65), *range(120, 125)]


def _begins(counts: RunCounts, minute: int) -> bool:
    if counts.wait_seconds("a", 5, at(minute)):
        return False
    counts.count("a", at(minute))
    return True


def test_what_other_servers_have_counted_counts_once() -> None:
    counts = counted(0, 1)
    counts.tell("s2", "a", int(at(2)) // 60, 3)
    counts.tell("s2", "a", int(at(2)) // 60, 4)  # it has counted on
    counts.tell("s3", "a", int(at(2)) // 60, 1)
    assert counts.used("a", at(3)) == 7
    assert counts.used("a", at(60)) == 6
    assert counts.wait_seconds("a", 7, at(3)) == 57 * 60
    assert [row[2] for row in counts.unwritten()] == [1, 1]  # others' are not ours to write


def test_what_is_written_is_not_written_again_until_it_changes() -> None:
    counts = counted(0, 0)
    rows = counts.unwritten()
    assert [row[2] for row in rows] == [2]
    counts.count("a", at(0.5))  # while they are being written
    counts.note_written(rows)
    assert [row[2] for row in counts.unwritten()] == [3]
    counts.note_written(counts.unwritten())
    assert counts.unwritten() == []


def test_a_server_that_was_started_anew_goes_on_counting() -> None:
    counts = counted(5)
    counts.restore("a", int(at(5)) // 60, 9)
    assert counts.used("a", at(6)) == 10
    assert [row[2] for row in counts.unwritten()] == [10]


def test_what_is_old_is_forgotten() -> None:
    counts = counted(0, 30)
    counts.tell("s2", "b", int(at(0)) // 60, 3)
    counts.forget_old(at(65))
    assert [row[1] for row in counts.unwritten()] == [int(at(30)) // 60]
    counts.forget_old(at(95))
    assert (counts.unwritten(), counts.used("b", at(0))) == ([], 0)
