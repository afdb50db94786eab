"""What one person may use: the limits of their kind, and what was raised for them for a time.

A raise ends by itself, by the database's clock, and can be taken back before. It never lowers what
a person may use anyway. Whoever calls has made sure that the actor may (`app/roles.py`); what is
done is in the audit log by the same transaction.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.errors import ForeignKeyViolation
from psycopg2.extensions import cursor as Cursor

from app import audit
from app.quantities import duration, parse_duration, parse_size, size
from app.settings import Limits

SHORTEST, LONGEST = 60.0, 366 * 86400.0  # seconds that a raise may last
LONGEST_REASON = 500  # characters
KEPT_DAYS = 90  # that one which is over is kept, as the person's data
NO_LIMIT = ("none", "no limit", "unlimited")

Value = int | float | tuple[str, ...]


class BadRaise(ValueError):
    """A limit can't be raised so; the text is for who wanted it."""


@dataclass(frozen=True)
class Unit:
    """How values of a limit are read and written."""

    name: str
    parse: Callable[[str], Value]  # raises ValueError
    words: Callable[[Any], str]


@dataclass(frozen=True)
class Raised:
    """A limit that is raised now; `as_json` is what programs get of it."""

    account: str
    person: str  # their name
    name: str  # of the limit: a key of [limits]
    value: Value
    reason: str
    by: str  # the name of who raised it
    created: datetime
    expires: datetime
    seconds: float  # until then

    @property
    def words(self) -> str:
        """The value as people read it."""
        return words_of(self.name, self.value)

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {
            "created": self.created.isoformat(), "expires": self.expires.isoformat(),
        }  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One limit as it holds for a person."""

    name: str
    value: Value
    unit: str  # bytes, seconds, count or destinations
    is_none: bool  # there is no limit
    raised: Raised | None  # if it is raised


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,15}", text):
        raise ValueError("expected a whole number")
    return int(text)


def _seconds(text: str) -> float:
    return float(text) if re.fullmatch("[0-9]{1,9}", text) else parse_duration(text)


def _destinations(text: str) -> tuple[str, ...]:
    return tuple(re.split(r"[\s,]+", text))


COUNT, BYTES = Unit("count", _count, str), Unit("bytes", parse_size, size)
SECONDS = Unit("seconds", _seconds, duration)
DESTINATIONS = Unit("destinations", _destinations, ", ".join)

# What can be raised, in the order in which people are shown it
RAISABLE: dict[str, Unit] = {
    "sessions": COUNT,
    "runs_per_hour": COUNT,
    "memory": BYTES,
    "cpu_seconds": SECONDS,
    "run_seconds": SECONDS,
    "session_seconds": SECONDS,
    "idle_seconds": SECONDS,
    "disk": BYTES,
    "entries": COUNT,
    "folder": BYTES,
    "processes": COUNT,
    "files": COUNT,
    "run_output": BYTES,
    "session_output": BYTES,
    "network": DESTINATIONS,
}
# Of these 0 is no limit
ENDLESS = frozenset(
    ("runs_per_hour", "cpu_seconds", "run_seconds", "session_seconds", "idle_seconds")
)


def parse(name: str, text: str) -> Value:
    """What `text` says as a value of a limit: "2 GiB", "1h", "none". Raises BadRaise."""
    unit = RAISABLE.get(name)
    if unit is None:
        raise BadRaise(f"{name!r} is no limit that can be raised; these are: {', '.join(RAISABLE)}")
    plain = text.strip()
    if name in ENDLESS and plain.lower() in NO_LIMIT:
        return type(getattr(Limits(), name))(0)  # type: ignore[no-any-return]
    try:
        value = unit.parse(plain)
    except ValueError as error:
        raise BadRaise(f"{name} = {text!r}: {error}") from None
    rule = {field.name: field.metadata["rule"] for field in dataclasses.fields(Limits)}[name]
    if not rule.holds(value):
        raise BadRaise(f"{name} = {text!r}: expected {rule.words}")
    return value


def words_of(name: str, value: Value) -> str:
    """A value as people read it."""
    return "no limit" if name in ENDLESS and not value else RAISABLE[name].words(value)


# --- What holds -----------------------------------------------------------------------


def with_raised(usual: Limits, raised: Iterable[tuple[str, Value]]) -> Limits:
    """What holds for a person of whose kind `usual` is. `raised`: names and values."""
    values = {
        name: larger(name, getattr(usual, name), value)
        for name, value in raised
        if name in RAISABLE
    }
    return dataclasses.replace(usual, **values) if values else usual


def larger(name: str, one: Any, other: Any) -> Any:
    """Of two values of a limit the one that allows more; of destinations, all of both."""
    if RAISABLE[name] is DESTINATIONS:
        return tuple(dict.fromkeys((*one, *other)))
    if name in ENDLESS and not (one and other):
        return type(one)(0)
    return type(one)(max(one, other))


def of_person(cursor: Cursor, usual: Limits, account: str) -> Limits:
    """What holds now for an account of whose kind `usual` is."""
    return with_raised(usual, ((one.name, one.value) for one in raised(cursor, account)))


def lines_of(usual: Limits, raised: Iterable[Raised]) -> list[Line]:
    """Every limit, as a person is shown what holds for them."""
    by_name = {one.name: one for one in raised}
    holds = with_raised(usual, ((one.name, one.value) for one in by_name.values()))
    return [
        Line(
            name=name,
            value=getattr(holds, name),
            unit=unit.name,
            is_none=name in ENDLESS and not getattr(holds, name),
            raised=by_name.get(name) if getattr(holds, name) != getattr(usual, name) else None,
        )
        for name, unit in RAISABLE.items()
    ]


# --- Raising --------------------------------------------------------------------------


def raise_limit(
    cursor: Cursor, account: str, name: str, value: str, *,
    lasting: str, reason: str, actor: str, usual: Limits,
) -> Raised:  # fmt: skip
    """Raise a limit of an account, in place of an earlier raise of it. Raises BadRaise.

    `value` and `lasting` as people write them: "2 GiB", "3d"; `reason` is shown to the person;
    `usual`: the limits of their kind.
    """
    wanted, seconds = parse(name, value), _parse_lasting(lasting)
    said = " ".join(reason.split())
    if not said or len(said) > LONGEST_REASON:
        raise BadRaise(f"say in 1 to {LONGEST_REASON} characters why: the person is shown it")
    present = getattr(usual, name)
    if larger(name, present, wanted) == present:
        raise BadRaise(f"{name}: they may have {words_of(name, present) or 'none'} anyway")
    cursor.execute(
        "DELETE FROM raised_limits WHERE account = %s"
        " AND expires < now() - make_interval(days => %s)",
        (account, KEPT_DAYS),
    )
    try:
        cursor.execute(
            "INSERT INTO raised_limits (account, name, value, reason, actor, expires)"
            " VALUES (%s, %s, %s, %s, %s, now() + make_interval(secs => %s))"
            " ON CONFLICT (account, name) DO UPDATE SET value = excluded.value,"
            " reason = excluded.reason, actor = excluded.actor, created = now(),"
            " expires = excluded.expires",
            (account, name, json.dumps(wanted), said, actor, seconds),
        )
    except ForeignKeyViolation:
        raise BadRaise("this account does not exist any more") from None
    audit.note(
        cursor, actor=actor, action="raised a limit of", subject=account,
        detail=f"{name} to {words_of(name, wanted)} for {duration(seconds)}: {said}",
    )  # fmt: skip
    return next(one for one in raised(cursor, account) if one.name == name)


def take_back(cursor: Cursor, account: str, name: str, *, actor: str) -> bool:
    """End a raise; whether there was one."""
    cursor.execute(
        "DELETE FROM raised_limits WHERE account = %s AND name = %s AND expires > now()",
        (account, name),
    )
    if not cursor.rowcount:
        return False
    audit.note(
        cursor, actor=actor, action="took back a raised limit of", subject=account, detail=name
    )
    return True


def raised(cursor: Cursor, account: str = "") -> list[Raised]:
    """What is raised now for an account; for everybody, if none is named."""
    cursor.execute(
        """
        SELECT account::text, accounts.name, raised_limits.name, value, reason,
               coalesce(actors.name, actor), raised_limits.created, raised_limits.expires,
               extract(epoch FROM raised_limits.expires - now())::float
        FROM raised_limits JOIN accounts ON accounts.id = account
             LEFT JOIN accounts AS actors ON actors.id::text = actor
        WHERE raised_limits.expires > now()
              AND (%(account)s = '' OR account = nullif(%(account)s, '')::uuid)
        ORDER BY lower(accounts.name), account, raised_limits.name
        """,
        {"account": account},
    )
    return [
        Raised(owner, person, name, tuple(value) if isinstance(value, list) else value, *rest)
        for owner, person, name, value, *rest in cursor.fetchall()
        if name in RAISABLE
    ]


# --- Runs -----------------------------------------------------------------------------


def runs_subject(account: str) -> str:
    """As whose an account's runs are counted."""
    return f"account {account}"


def runs_within_an_hour(cursor: Cursor, account: str) -> int:
    """That an account has begun, a few seconds late; 0 if nothing limits them."""
    cursor.execute(
        "SELECT coalesce(sum(count), 0)::int FROM run_counts"
        " WHERE subject = %s AND slot > floor(extract(epoch FROM now()) / 60) - 60",
        (runs_subject(account),),
    )
    (count,) = cursor.fetchone() or (0,)
    return int(count)


def _parse_lasting(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise BadRaise(f"for {text!r}: {error}") from None
    if not SHORTEST <= seconds <= LONGEST:
        raise BadRaise(f"for {text!r}: expected 1 min to {LONGEST / 86400:g} d")
    return seconds
