"""Log lines of many programs: where they end, when each was written, how serious it is. No I/O.

What is understood: Python's logging as this project sets it up, gunicorn, PostgreSQL, nginx,
HAProxy, stunnel and OpenVPN. A line without a time (the second one of a traceback, say) gets
the time at which it was read, one without a level none.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
NAMES = {  # of levels, as programs write them
    "DEBUG": "DEBUG", "INFO": "INFO", "NOTICE": "INFO", "LOG": "INFO", "STATEMENT": "INFO",
    "DETAIL": "INFO", "HINT": "INFO", "CONTEXT": "INFO", "WARN": "WARNING", "WARNING": "WARNING",
    "ERROR": "ERROR", "ERR": "ERROR", "CRITICAL": "CRITICAL", "CRIT": "CRITICAL",
    "ALERT": "CRITICAL", "EMERG": "CRITICAL", "FATAL": "CRITICAL", "PANIC": "CRITICAL",
}  # fmt: skip
# By syslog's numbers, which stunnel uses (RFC 5424, 6.2.1)
SEVERITIES = ("CRITICAL",) * 3 + ("ERROR", "WARNING", "INFO", "INFO", "DEBUG")
TIME = re.compile(
    r"\[?(\d{4}[-/.]\d\d[-/.]\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?"
    r"(?: ?(UTC|GMT|Z|[+-]\d\d:?\d\d))?\]?:? *"
)
LEVEL = re.compile(
    r"(?:\[\d+\] +)?\[(?P<bracketed>[A-Za-z]+)\]"  # gunicorn, nginx, HAProxy
    r"|(?P<first>[A-Z]+)[ :]"  # Python's logging; OpenVPN's WARNING:
    r"|\[\d+\] (?:\S* )?(?P<behind>[A-Z]+)\d?: "  # PostgreSQL
    r"|LOG(?P<number>[0-7])\["  # stunnel
)
UNKNOWN_GAP = "[lines may be missing here: "  # so begins what stands for those that were gone
IS_GAP = re.compile(r"\[\d+ bytes are missing here: |\[lines may be missing here: ")


def cut(data: bytes, longest: int, *, whole: bool) -> list[bytes]:
    """The lines at the beginning of `data`, with their ends; in pieces of `longest` bytes.

    What has no end yet is left out, unless `whole`: there will be no more.
    """
    lines = data.split(b"\n")
    rest = lines.pop()
    found = [line + b"\n" for line in lines]
    if rest and (whole or len(rest) >= longest):
        found.append(rest if whole else rest[: len(rest) // longest * longest])
    return [line[i : i + longest] for line in found for i in range(0, len(line), longest)]


def readable(line: bytes) -> str:
    """A line as text that PostgreSQL takes: what is not UTF-8, and NUL, as escapes."""
    text = line.decode("utf-8", "backslashreplace").replace("\0", r"\x00")
    return text.removesuffix("\n").removesuffix("\r")


def understood(text: str, read: datetime, zone: tzinfo) -> tuple[datetime, str | None]:
    """When a line was written, and its level. `zone`: of times that do not say theirs."""
    match = TIME.match(text)
    if match is None:
        return read, _level(text)
    return _time(match, zone) or read, _level(text[match.end() :])


def _time(match: re.Match[str], zone: tzinfo) -> datetime | None:
    day, time, fraction, named = match.groups()
    offset = "+0000" if named in ("UTC", "GMT", "Z") else named or ""
    text = f"{day[:4]}-{day[5:7]}-{day[8:]} {time}.{fraction or 0}{offset}"
    try:
        found = datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f" + ("%z" if offset else ""))
    except ValueError:
        return None
    return found if offset else found.replace(tzinfo=zone)


def _level(text: str) -> str | None:
    if IS_GAP.match(text):
        return "WARNING"
    match = LEVEL.match(text)
    if match is None:
        return None
    if match["number"]:
        return SEVERITIES[int(match["number"])]
    return NAMES.get((match["bracketed"] or match["first"] or match["behind"]).upper())
