"""Log lines of every program that runs here, as table `log` gets them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from monitor.lines import cut, readable, understood

READ = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
HERE = timezone(timedelta(hours=2))
AT = datetime(2026, 11, 25, 4, 50, 33, tzinfo=UTC)
MILLI = timedelta(milliseconds=123)


@pytest.mark.parametrize(
    ("text", "time", "level"),
    [
        pytest.param("2026-11-25 06:50:33,123 WARNING app.sage.pool: x", AT + MILLI, "WARNING",
                     id="Python, in local time"),
        pytest.param("2026-11-25 04:50:33.123+00:00 ERROR supervisor.supervision: x", AT + MILLI,
                     "ERROR", id="supervisor"),
        pytest.param("2026-11-25 04:50:33.123+00:00 app-1        starting", AT + MILLI, None,
                     id="supervisor's news"),
        pytest.param("[2026-11-25 04:50:33 +0000] [123] [INFO] Booting", AT, "INFO",
                     id="gunicorn"),
        pytest.param("2026-11-25 04:50:33.123 UTC [31398]  LOG:  starting", AT + MILLI, "INFO",
                     id="PostgreSQL, nobody's"),
        pytest.param("2026-11-25 04:50:33.123 UTC [31398] salvus FATAL:  x", AT + MILLI,
                     "CRITICAL", id="PostgreSQL, a client's"),
        pytest.param("2026-11-25 04:50:33.123 UTC [3] a DEBUG2:  x", AT + MILLI, "DEBUG",
                     id="PostgreSQL, a level with a number"),
        pytest.param("2026/11/25 06:50:33 [error] 123#0: *1 open()", AT, "ERROR", id="nginx"),
        pytest.param("[ALERT]    (98) : sendmsg failed", READ, "CRITICAL", id="HAProxy"),
        pytest.param("2026.11.25 06:50:33 LOG4[ui]: no", AT, "WARNING", id="stunnel"),
        pytest.param("2026-11-25 06:50:33 WARNING: no", AT, "WARNING", id="OpenVPN"),
        pytest.param("2026-11-25 06:50:33 TLS: ok", AT, None, id="OpenVPN, no level"),
        pytest.param("[17 bytes are missing here: they could not be written]", READ, "WARNING",
                     id="a gap"),
        pytest.param("Traceback (most recent call last):", READ, None, id="neither"),
        pytest.param("2026-13-45 04:50:33 INFO x", READ, "INFO", id="no such day"),
        pytest.param("I am no level", READ, None, id="a capital that is none"),
        pytest.param("", READ, None, id="empty"),
    ],
)
def test_time_and_level(text: str, time: datetime, level: str | None) -> None:
    assert understood(text, READ, HERE) == (time, level)


@pytest.mark.parametrize(
    ("data", "whole", "pieces"),
    [
        pytest.param(b"a\nbc\n", False, [b"a\n", b"bc\n"], id="lines"),
        pytest.param(b"a\nbc", False, [b"a\n"], id="one is not finished"),
        pytest.param(b"a\nbc", True, [b"a\n", b"bc"], id="and never will be"),
        pytest.param(b"a\r\n\rb\x0b\x85\n", False, [b"a\r\n", b"\rb\x0b\x85\n"],
                     id="only line feeds end lines"),
        pytest.param(b"0123456789ab\n", False, [b"01234567", b"89ab\n"], id="a long one"),
        pytest.param(b"0123456789ab", False, [b"01234567"], id="a long one, not finished"),
        pytest.param(b"", True, [], id="nothing"),
    ],
)
def test_where_lines_end(data: bytes, whole: bool, pieces: list[bytes]) -> None:
    assert cut(data, 8, whole=whole) == pieces


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xc3\xa9\xff\n", "é\\xff"),
        (b"a\0b\r\n", "a\\x00b"),
        (b"half \xc3", "half \\xc3"),
    ],
)
def test_every_line_becomes_readable_text(data: bytes, text: str) -> None:
    assert readable(data) == text
