"""Whoever is deleted is gone: from every table there is, and from sage servers' disks.

The tables are asked what they are, so one that is added later is tried by itself: a row of the
person's is made in it, by the types of its columns. Where that can't be, a row is wanted here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from app import accounts, audit, burials, documents, folders, people, worksheets
from app.changes import Content
from app.db import Database
from app.sage.cgroups import Cgroups
from app.sage.consumption import Consumption
from app.sage.journal import Journal
from app.sage.keeper import Keeper
from app.sage.places import Person
from app.sage.pool import Pool
from app.sage.protections import Protections
from app.sage.recorder import Recorder
from app.sage.session import Session
from app.sage.sexton import Sexton
from app.settings import ROOT, Settings
from app.wire.messages_pb2 import Execute, Opened
from tests import host
from tests.page_client import PATIENCE

NAME, LOGIN, SECRET = "Emmy Noether", "emmy.noether", "the_secret_of_emmy"
OURS = ("account", "worksheet", "session", "run", "cell", "guest", "subject", "actor", "login")
# Says for some hours what an address has used, whoever is guest there next (app/mining.py)
OF_ADDRESSES = {"guest_consumption"}
OF_TYPES = {
    "text": "'{text}'", "uuid": "gen_random_uuid()", "integer": "1", "bigint": "1", "real": "1",
    "double precision": "1", "boolean": "true", "bytea": "'{text}'::bytea",
    "jsonb": """'["{text}"]'""", "timestamp with time zone": "now()",
}  # fmt: skip


class Filler:
    """Puts a row of a person's into every table that could have one."""

    def __init__(self, cursor: Cursor, account: str, worksheet: str) -> None:
        self._cursor = cursor
        self.marks: tuple[str, ...] = (
            account, worksheet, NAME, LOGIN, SECRET, SECRET.encode().hex(),
        )  # fmt: skip
        self._ours = {
            "account": account, "guest": account, "actor": account, "worksheet": worksheet,
            "subject": f"account {account}", "login": LOGIN,
        }  # fmt: skip

    def tables(self) -> list[str]:
        return [name for (name,) in self._ask(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
            " AND table_type = 'BASE TABLE' AND table_name <> 'migrations' ORDER BY 1"
        ) if name not in OF_ADDRESSES]  # fmt: skip

    def mentions(self, table: str) -> list[str]:
        """Rows of a table in which the person is."""
        found = self._ask(
            f"SELECT t::text FROM {table} AS t WHERE EXISTS"
            " (SELECT FROM unnest(%s::text[]) AS mark WHERE strpos(t::text, mark) > 0)",
            (list(self.marks),),
        )
        return [text for (text,) in found]

    def could_mention(self, table: str) -> bool:
        return any(name in OURS for name, *_ in self._columns(table)) or any(
            to in ("accounts", "worksheets", "cells", "files") for to, *_ in self._keys(table)
        )

    def fill(self, table: str) -> None:
        """Add a row, of the person's if it can be anybody's. Raises psycopg2.Error if no value
        of a column's type will do."""
        text = SECRET if self.could_mention(table) else "something else"
        values: dict[str, Any] = {}
        for to, columns, theirs in self._keys(table):
            if not self._ask(f"SELECT FROM {to} LIMIT 1"):
                self.fill(to)
            mark = self.mentions(to)
            order = "ORDER BY NOT (t::text = ANY(%s))"
            row = self._ask(
                f"SELECT {', '.join(theirs)} FROM {to} AS t {order} LIMIT 1", (mark,)
            )[0]  # fmt: skip
            values |= dict(zip(columns, row, strict=True))
        sql = dict.fromkeys(values, "%s")
        for name, kind, is_needed in self._columns(table):
            if name in self._ours and name not in values:
                sql[name], values[name] = "%s", self._ours[name]
            elif is_needed and name not in values:
                sql[name] = OF_TYPES[kind].format(text=text)
        self._cursor.execute("SAVEPOINT before")
        try:
            self._cursor.execute(
                f"INSERT INTO {table} ({', '.join(sql)}) VALUES ({', '.join(sql.values())})",
                [values[name] for name in sql if name in values],
            )
        except psycopg2.Error:
            self._cursor.execute("ROLLBACK TO before")
            raise

    def _ask(self, question: str, values: tuple[Any, ...] = ()) -> list[Any]:
        self._cursor.execute(question, values or None)
        return self._cursor.fetchall()

    def _columns(self, table: str) -> list[tuple[str, str, bool]]:
        """Name, type, and whether a row needs a value."""
        return self._ask(
            "SELECT column_name, data_type, is_nullable = 'NO' AND column_default IS NULL"
            " AND is_identity = 'NO' FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = %s",
            (table,),
        )

    def _keys(self, table: str) -> list[tuple[str, list[str], list[str]]]:
        """Foreign keys: the table they lead to, our columns, its columns."""
        names = (
            "(SELECT array_agg(attname::text ORDER BY place) FROM unnest({key}) WITH ORDINALITY"
            " AS each (number, place) JOIN pg_attribute ON attrelid = {of} AND attnum = number)"
        )
        return self._ask(
            f"SELECT confrelid::regclass::text, {names.format(key='conkey', of='conrelid')},"
            f" {names.format(key='confkey', of='confrelid')} FROM pg_constraint"
            " WHERE contype = 'f' AND conrelid = %s::regclass",
            (table,),
        )


@pytest.fixture
def cursor(database: Database) -> Iterator[Cursor]:
    with database.transaction() as opened:
        yield opened


def person(cursor: Cursor) -> tuple[str, str]:
    """Somebody with a worksheet, a cell, a file, a run with output, and tries at the password."""
    account = accounts.create(cursor, name=NAME, role="member", login=LOGIN, password="hash")
    worksheet = documents.create(cursor, account, SECRET)
    cell, session, run = (str(uuid.uuid4()) for _ in range(3))
    content = Content(position=1.0, code=f"print('{SECRET}')", kind="code", deleted=False)
    worksheets.save_cell(cursor, worksheet, account, cell, content)
    folders.put(cursor, worksheet, "a.txt", iter([SECRET.encode()]), len(SECRET), limit=10**6)
    cursor.execute(
        "INSERT INTO sessions (id, worksheet, server, language, started, account, kind)"
        " VALUES (%s, %s, 'a:1', 'Sage', now(), %s, 'member')",
        (session, worksheet, account),
    )
    cursor.execute(
        "INSERT INTO session_use VALUES (%s, 'a:1', 'idle', 1, 1, 1, 1, now())", (session,)
    )
    cursor.execute(
        "INSERT INTO runs (id, session, worksheet, cell, code, queued)"
        " VALUES (%s, %s, %s, %s, %s, now())",
        (run, session, worksheet, cell, SECRET),
    )
    cursor.execute(
        "INSERT INTO outputs (session, run, seq, frame) VALUES (%s, %s, 1, %s)",
        (session, run, SECRET.encode()),
    )
    for subject in (f"account {account}", f"account {LOGIN}"):
        cursor.execute("INSERT INTO attempts (subject) VALUES (%s)", (subject,))
    audit.note(cursor, actor=account, action="signed in", address=SECRET)
    audit.note(cursor, actor="", action="gave a wrong password", detail=LOGIN.upper())
    return account, worksheet


def test_nothing_remains_of_who_is_deleted(cursor: Cursor) -> None:
    account, worksheet = person(cursor)
    filler = Filler(cursor, account, worksheet)
    for table in filler.tables():
        if filler.could_mention(table) and table != "session_use" and not filler.mentions(table):
            try:
                filler.fill(table)
            except (psycopg2.Error, KeyError) as error:
                pytest.fail(f"{table}: add a row of the person's to this test ({error})")
            assert filler.mentions(table), f"{table}: add a row of the person's to this test"
    people.delete(cursor, account, actor=audit.OPERATOR)
    left = {table: found for table in filler.tables() if (found := filler.mentions(table))}
    for row in left.pop("audit"):  # keeps the id alone, which names nobody any more
        assert not [mark for mark in filler.marks[1:] if mark in row], row
    assert left == {}
    cursor.execute("SELECT count(*) FROM session_use")
    assert cursor.fetchone() == (0,)
    last = audit.entries(cursor, account=account)[0]
    assert (last.action, last.subject, last.detail) == ("deleted the account", account, "")


def test_a_worksheet_that_is_purged_leaves_nothing_either(cursor: Cursor) -> None:
    _, worksheet = person(cursor)
    cursor.execute("SELECT id::text FROM cells")
    [(cell,)] = cursor.fetchall()
    documents.purge(cursor, worksheet)
    assert worksheets.load(cursor, worksheet, "").cells  # only what is in the trash is purged
    documents.trash(cursor, worksheet)
    documents.purge(cursor, worksheet)
    filler = Filler(cursor, cell, worksheet)
    filler.marks = (cell, worksheet, SECRET, SECRET.encode().hex())
    left = {table for table in filler.tables() if filler.mentions(table)}
    assert left == {"audit"}  # the address in it


def test_what_others_have_stays(cursor: Cursor) -> None:
    account, _ = person(cursor)
    other = accounts.create(cursor, name="Ada", role="member")
    worksheet = documents.create(cursor, other, "Hers")
    session = str(uuid.uuid4())
    cursor.execute(
        "INSERT INTO sessions (id, worksheet, server, language, started, account, kind, address)"
        " VALUES (%s, %s, 'a:1', 'Sage', now(), %s, 'member', '10.0.0.1')",
        (session, worksheet, account),
    )
    people.delete(cursor, account, actor=other)
    cursor.execute("SELECT id::text, account, address FROM sessions")
    assert cursor.fetchall() == [(session, "", "")]
    assert documents.entries(cursor, other)


# --- On sage servers' disks -----------------------------------------------------------


class Server:
    """The parts of a sage server that keep what sessions put out; its Sage is plain Python."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self.pool = Pool(
            settings=settings,
            address="127.0.0.1:1",
            protections=Protections((), {}, {}),
            cgroups=Cgroups([], {}),
            keeper=Keeper(database),
            consumption=Consumption(slice_seconds=600),
        )
        self.recorder = Recorder(pool=self.pool, database=database, interval=3600)
        self.sexton = Sexton(pool=self.pool)

    def look(self) -> None:
        """What it does by itself at intervals."""
        self.recorder.record()
        with self._database.reading() as cursor:
            self.sexton.step(cursor)
        self.recorder.record()

    def compute(self, account: str, worksheet: str, code: str) -> Session:
        order = Execute(run=str(uuid.uuid4()), cell=str(uuid.uuid4()), code=code)
        session = self.pool.session(worksheet, Person(account, "member"))
        session.execute(order, worksheet)
        return session


@pytest.fixture
def folder() -> Iterator[Path]:
    if not (ROOT / ".venv-plain" / "bin" / "python").exists():
        host.missing(".venv-plain")
    with host.short_folder() as made:
        yield made


def server(folder: Path, database: Database) -> Server:
    plain = ROOT / ".venv-plain" / "bin" / "python"
    settings = host.settings_in(folder, sage_python=str(plain), sage_spares="0")
    return Server(settings, database)


def rows(database: Database) -> dict[str, int]:
    with database.reading() as cursor:
        found = {}
        for table in ("sessions", "runs", "outputs"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            found[table] = (cursor.fetchone() or (0,))[0]
        return found


def journals(folder: Path) -> list[Path]:
    return list(folder.rglob("*.journal"))


def two_people(database: Database) -> list[tuple[str, str]]:
    """Each with a worksheet."""
    with database.transaction() as cursor:
        made = [accounts.create(cursor, name=name, role="member") for name in ("Emmy", "Ada")]
        return [(account, documents.create(cursor, account)) for account in made]


def delete(database: Database, account: str) -> None:
    with database.transaction() as cursor:
        people.delete(cursor, account, actor=audit.OPERATOR)


def test_a_busy_session_of_who_is_deleted_ends_with_its_journal(
    folder: Path, database: Database
) -> None:
    here = server(folder, database)
    here.pool.start()
    try:
        here.pool.wait_ready(PATIENCE)
        (emmy, hers), (ada, other) = two_people(database)
        busy = here.compute(emmy, hers, "while True: print('x' * 1000)")
        calm = here.compute(ada, other, "print('kept')")
        with gevent.Timeout(PATIENCE):
            while rows(database)["sessions"] < 2 or rows(database)["outputs"] < 10:
                here.recorder.record()
                gevent.sleep(0.05)
        delete(database, emmy)
        with gevent.Timeout(PATIENCE):
            while rows(database)["sessions"] > 1 or len(journals(folder)) > 1:
                here.look()
                gevent.sleep(0.05)
        with gevent.Timeout(PATIENCE):
            while busy.end_reason is None or len(here.pool.journals()) > 1:
                here.look()
                gevent.sleep(0.05)
        assert busy.end_reason == "what it computed for was deleted"
        assert calm.end_reason is None
        with database.reading() as cursor:
            cursor.execute(
                "SELECT DISTINCT account FROM sessions JOIN runs ON session = sessions.id"
            )
            assert cursor.fetchall() == [(ada,)]
    finally:
        here.pool.stop()


def test_a_server_that_was_away_at_the_time_buries_when_it_is_back(
    folder: Path, database: Database
) -> None:
    (emmy, hers), (ada, other) = two_people(database)
    before = server(folder, database)
    place = before.pool._journals
    place.mkdir(parents=True)
    for account, worksheet in ((emmy, hers), (ada, other)):
        opened = Opened(session=str(uuid.uuid4()), worksheet=worksheet, server="127.0.0.1:1",
                        language="Python", account=account, kind="member", time=1.0)  # fmt: skip
        path = place / f"{opened.session}.journal"
        Journal.create(path, opened, ring=1 << 16, on_change=lambda: None).close()
    delete(database, emmy)
    here = server(folder, database)
    here.pool._recover()
    assert len(journals(folder)) == 2
    for _ in range(3):
        here.look()
    assert journals(folder) == []  # hers is recorded, the other's is buried
    with database.reading() as cursor:
        cursor.execute("SELECT account FROM sessions")
        assert set(cursor.fetchall()) <= {(ada,)}


def test_what_ends_while_its_person_is_deleted_is_not_recorded(
    folder: Path, database: Database
) -> None:
    """Between two looks of the sexton: the recorder notices at the end."""
    (emmy, hers), _ = two_people(database)
    here = server(folder, database)
    here.pool._journals.mkdir(parents=True)
    opened = Opened(session=str(uuid.uuid4()), worksheet=hers, server="127.0.0.1:1",
                    language="Python", account=emmy, kind="member", time=1.0)  # fmt: skip
    path = here.pool._journals / f"{opened.session}.journal"
    Journal.create(path, opened, ring=1 << 16, on_change=lambda: None).close()
    here.pool._recover()
    delete(database, emmy)
    here.recorder.record()  # one look, as a server that is stopped has
    assert journals(folder) == []
    assert rows(database) == {"sessions": 0, "runs": 0, "outputs": 0}


def test_who_records_an_end_and_who_deletes_wait_for_each_other(database: Database) -> None:
    (emmy, hers), _ = two_people(database)
    with database.transaction() as cursor:
        assert burials.is_there(cursor, hers)
        deleting = gevent.spawn(delete, database, emmy)
        gevent.sleep(0.3)
        assert not deleting.ready()
        cursor.execute(
            "INSERT INTO sessions (id, worksheet, server, language, started, account)"
            " VALUES (gen_random_uuid(), %s, 'a:1', 'Sage', now(), %s)",
            (hers, emmy),
        )
    deleting.get(timeout=PATIENCE)
    assert rows(database)["sessions"] == 0
