"""Classes, as browsers meet them; the database is real."""

from __future__ import annotations

import io
import json
import re
import uuid
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import gevent
import nbformat
import pytest
from flask.testing import FlaskClient

from app import (
    accounts,
    audit,
    classes,
    collected,
    copies,
    documents,
    exchange,
    folders,
    join_codes,
    notebooks,
    oversight,
    permissions,
    transcripts,
    worksheets,
)
from app.accounts import Origin
from app.browsers import Browser
from app.changes import Content
from app.classes import Class
from app.collected import Copy
from app.db import Database
from app.manuscript import Manuscript, Part
from app.rounds import Rounds
from app.transcripts import Transcript
from app.wire.messages_pb2 import Bundle, Finished, Frame, Queued, Stream
from app.words import Words
from supervisor.postgresql import database_url
from tests.web_app import WebApp

PASSWORD = "correct horse battery"


@pytest.fixture
def web(database: Database, tmp_path: Path) -> WebApp:
    return WebApp(database, tmp_path)


@pytest.fixture
def teacher(web: WebApp) -> FlaskClient:
    return web.person("teacher", "Ms Noether")[0]


@pytest.fixture
def algebra(teacher: FlaskClient) -> str:
    """A class; its path."""
    answer = teacher.post("/classes", data={"title": "Algebra I", "zone": "Europe/Berlin"})
    assert answer.status_code == 303
    return str(answer.location)


def code_of(teacher: FlaskClient, path: str, **form: Any) -> str:
    """A new code of a class, as it is shown."""
    answer = teacher.post(f"{path}/codes", data={"seats": "30", "days": "14", **form})
    assert answer.status_code == 303, answer.text
    found = re.findall(r'class="code" href="/join/(\w+)"', teacher.get(path).text)
    return str(found[0])


def new_student(web: WebApp, code: str, name: str) -> FlaskClient:
    """Somebody without an account joins by a code."""
    browser = web.client()
    form = {"name": name, "login": name.lower(), "password": PASSWORD}
    answer = browser.post(f"/join/{code}", data=form)
    assert answer.status_code == 303, answer.text
    assert answer.location.startswith("/classes/")
    return browser


def seen(web: WebApp, path: str, account: str, kind: str) -> Class | None:
    with web.database.reading() as cursor:
        return classes.find(cursor, path.rsplit("/", 1)[1], account, kind)


def actions(web: WebApp) -> list[str]:
    with web.database.reading() as cursor:
        return [f"{one.actor} {one.action}" for one in audit.entries(cursor)]


# --- Coming in --------------------------------------------------------------------


def test_new_people_and_those_with_an_account_join_by_one_code(
    web: WebApp, teacher: FlaskClient, algebra: str
) -> None:
    code = code_of(teacher, algebra, seats="2")
    new = new_student(web, code, "Ada")
    member, _ = web.person("member", "Emmy")
    asked = member.get(f"/join?code={code[:4].lower()}-{code[4:]}", follow_redirects=True)
    assert "You are signed in as Emmy" in asked.text
    assert member.post(f"/join/{code}/class").location == algebra
    for browser in (new, member):
        page = browser.get(algebra)
        assert (page.status_code, "Ms Noether" in page.text) == (200, True)
        assert 'href="/classes"' in browser.get("/account").text
    told = teacher.get(algebra).text
    assert [text for text in ("Ada", "Emmy", "2 of 2") if text not in told] == []
    assert {"Ada joined a class", "Emmy joined a class", "Ms Noether made a class"} <= {
        *actions(web)
    }


def test_who_is_in_the_class_takes_no_second_seat(
    web: WebApp, teacher: FlaskClient, algebra: str
) -> None:
    code = code_of(teacher, algebra, seats="2")
    member, _ = web.person("member")
    for browser in (member, member, teacher):
        assert browser.post(f"/join/{code}/class").location == algebra
    with web.database.reading() as cursor:
        (kept,) = join_codes.listed(cursor)
    assert kept.used == 1


def test_who_asks_twice_at_a_time_takes_one_seat(
    web: WebApp, teacher: FlaskClient, algebra: str
) -> None:
    code = code_of(teacher, algebra, seats="6")
    _, account = web.person("member")
    browsers = [web.browser_of(account) for _ in range(5)]
    posts = [gevent.spawn(one.post, f"/join/{code}/class") for one in browsers]
    gevent.joinall(posts)
    assert [one.get().location for one in posts] == [algebra] * 5
    with web.database.reading() as cursor:
        (kept,) = join_codes.listed(cursor)
    assert kept.used == 1


def test_a_code_that_is_of_no_class_leads_into_none(web: WebApp) -> None:
    with web.database.transaction() as cursor:
        code = join_codes.create(cursor, seats=2, days=1)
    member, _ = web.person("member")
    assert member.post(f"/join/{code.code}/class").status_code == 404
    with web.database.reading() as cursor:
        (kept,) = join_codes.listed(cursor)
    assert kept.used == 0


def test_of_many_who_want_the_last_seat_one_gets_it(
    web: WebApp, teacher: FlaskClient, algebra: str
) -> None:
    code = code_of(teacher, algebra, seats="1")
    members = [web.person("member")[0] for _ in range(6)]
    posts = [gevent.spawn(one.post, f"/join/{code}/class") for one in members]
    gevent.joinall(posts)
    codes = [one.get().status_code for one in posts]
    assert sorted(codes) == [303, 404, 404, 404, 404, 404]
    assert [one.get(algebra).status_code for one in members].count(200) == 1


def test_codes_of_classes_end_with_them_and_guests_stay_outside(
    web: WebApp, teacher: FlaskClient, algebra: str
) -> None:
    code, other = code_of(teacher, algebra), code_of(teacher, algebra)
    guest, _ = web.person("guest")
    assert guest.post(f"/join/{code}/class").status_code == 403
    assert "Your name" in guest.get(f"/join/{code}").text  # an account of their own
    teacher.post(f"{algebra}/codes/{code}/revoke")
    assert web.client().get(f"/join/{code}").status_code == 404
    teacher.post(f"{algebra}/archive")
    member, _ = web.person("member")
    assert member.post(f"/join/{other}/class").status_code == 404
    assert teacher.post(f"{algebra}/codes", data={"seats": "3", "days": "3"}).status_code == 409
    teacher.post(f"{algebra}/reopen")
    assert member.post(f"/join/{code_of(teacher, algebra)}/class").status_code == 303


@pytest.mark.parametrize(
    "form", [{"seats": "0"}, {"seats": "x"}, {"days": "nan"}, {"days": "366"}, {"seats": "1001"}]
)
def test_codes_have_bounds(teacher: FlaskClient, algebra: str, form: dict[str, str]) -> None:
    data = {"seats": "3", "days": "3", **form}
    assert teacher.post(f"{algebra}/codes", data=data).status_code == 400


def test_a_class_is_not_found_by_trying(web: WebApp, teacher: FlaskClient, algebra: str) -> None:
    strict = WebApp(web.database, web.settings.data_dir, sign_in_attempts_per_address="3")
    code = code_of(teacher, algebra)
    with web.database.transaction() as cursor:
        account = accounts.create(cursor, name="Mallory", role="member")
    guessing = strict.browser_of(account)
    for _ in range(3):
        assert guessing.post("/join/AAAAAAAA/class").status_code == 404
    assert guessing.post(f"/join/{code}/class").status_code == 429


# --- Who may what -----------------------------------------------------------------


def test_what_one_is_to_a_class_is_what_one_sees(
    web: WebApp, teacher: FlaskClient, algebra: str
) -> None:
    student = new_student(web, code_of(teacher, algebra), "Ada")
    other_teacher, other = web.person("teacher", "Mr Other")
    outsiders = [web.person("member")[0], other_teacher]
    for browser in outsiders:
        assert browser.get(algebra).status_code == 404
        assert "Algebra I" not in browser.get("/classes").text
    for action in ("", "/archive", "/codes", "/students/" + other + "/remove"):
        data = {"seats": "3", "days": "3"}
        assert student.post(algebra + action, data=data).status_code == 403
        assert other_teacher.post(algebra + action, data=data).status_code == 404
    for role in ("administrator", "owner"):
        governor, _ = web.person(role)
        assert "Algebra I" in governor.get("/classes").text
        assert "Archive the class" in governor.get(algebra).text
    assert web.client().get(algebra).status_code == 403
    assert "Archive the class" not in student.get(algebra).text


def test_removed_left_and_made_a_member(
    web: WebApp, teacher: FlaskClient, algebra: str
) -> None:
    code = code_of(teacher, algebra)
    ada, emmy = (new_student(web, code, name) for name in ("Ada", "Emmy"))
    page = teacher.get(algebra).text
    (removing,) = re.findall(r'action="(\S+/remove)"><button[^>]*Remove Ada', page)
    assert teacher.post(removing).status_code == 303
    assert emmy.post(f"{algebra}/leave").status_code == 303
    assert [one.get(algebra).status_code for one in (ada, emmy)] == [404, 404]
    assert {"Ms Noether removed from a class", "Emmy left a class"} <= {*actions(web)}
    with web.database.transaction() as cursor:
        cursor.execute("UPDATE accounts SET role = 'member' WHERE name = 'Ms Noether'")
    assert teacher.get(algebra).status_code == 404


def test_a_class_outlives_its_teacher(web: WebApp, teacher: FlaskClient, algebra: str) -> None:
    with web.database.transaction() as cursor:
        cursor.execute("DELETE FROM accounts WHERE name = 'Ms Noether'")
    owner, _ = web.person("owner")
    assert "no teacher" in owner.get(algebra).text


def test_an_archived_class_is_deleted_with_what_was_collected(school: School) -> None:
    handout = school.hand_out()
    web, path = school.web, school.path
    school.teacher.post(f"{handout}/collect")
    ada = school.students["Ada"]
    other, _ = web.person("teacher", "Mr Other")
    delete = f"{path}/delete"
    assert school.teacher.post(delete, data={"title": "Algebra I"}).status_code == 409
    school.teacher.post(f"{path}/archive")
    assert "Delete for ever" in school.teacher.get(path).text
    assert ada.post(delete, data={"title": "Algebra I"}).status_code == 403
    assert other.post(delete, data={"title": "Algebra I"}).status_code == 404
    wrong = school.teacher.post(delete, data={"title": "Algebra II"})
    assert (wrong.status_code, "Nothing was deleted" in wrong.text) == (400, True)
    copy = school.copies(handout)["Ada"].worksheet
    assert school.teacher.post(delete, data={"title": " Algebra  I "}).status_code == 303
    assert school.teacher.get(path).status_code == 404
    assert "Ms Noether deleted a class" in actions(web)
    with web.database.reading() as cursor:
        for table in ("classes", "class_members", "class_teachers", "join_codes", "handouts",
                      "handout_files", "handout_pieces", "handed_copies"):  # fmt: skip
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,), table
    assert ada.get(f"/w/{copy}").status_code == 200


def test_titles_and_time_zones_are_what_they_may_be(
    web: WebApp, teacher: FlaskClient, algebra: str
) -> None:
    teacher.post(algebra, data={"title": "  <b>Rings\n" + "x" * 300, "zone": "Mars/Phobos"})
    owner, account = web.person("owner")
    found = seen(web, algebra, account, "owner")
    assert found
    assert (found.title, found.zone) == ("<b>Rings " + "x" * 191, "UTC")
    assert "&lt;b&gt;Rings" in owner.get(algebra).text


# --- Handing out and collecting -----------------------------------------------------


class School:
    """A class with three students, and what happens in it."""

    def __init__(self, web: WebApp, teacher: FlaskClient, path: str) -> None:
        self.web, self.teacher, self.path = web, teacher, path
        self.code = code_of(teacher, path)
        self.students = {name: new_student(web, self.code, name) for name in ("Ada", "Emmy", "Zoe")}
        with web.database.reading() as cursor:
            cursor.execute("SELECT name, id::text FROM accounts")
            self.ids = dict(cursor.fetchall())

    def hand_out(self, deadline: str = "2099-12-31T23:59", title: str = "Sheet 1") -> str:
        """A worksheet with output and a file; the path of what was made of it."""
        shown = (Frame(stream=Stream(text="shown before\n")),)
        parts = (Part("markdown", "# Rings"), Part("code", "1+1", frames=shown))
        with self.web.database.transaction() as cursor:
            own = self.ids["Ms Noether"]
            made = exchange.bring_in(cursor, own, Manuscript(title, parts))
            folders.put(cursor, made, "data.csv", iter([b"1,2"]), 3, limit=1000)
        form = {"worksheet": made, "deadline": deadline}
        answer = self.teacher.post(f"{self.path}/handouts", data=form)
        assert answer.status_code == 303, answer.text
        return str(answer.location)

    def copies(self, handout: str) -> dict[str, Copy]:
        """By name."""
        with self.web.database.reading() as cursor:
            found = collected.roster(cursor, handout.rsplit("/", 1)[1])
        return {copy.name: copy for copy in found}

    def type(self, worksheet: str, code: str, cell: str = "") -> str:
        """A student changes the last cell, or `cell`, and runs it, which prints the code."""
        with self.web.database.transaction() as cursor:
            cell = cell or worksheets.load(cursor, worksheet, "").cells[-1].id
            cursor.execute("SELECT account::text FROM worksheets WHERE id = %s", (worksheet,))
            (account,) = cursor.fetchone() or ("",)
            worksheets.save_cell(cursor, worksheet, account, cell, Content(2.0, code))
            frames = (
                Frame(queued=Queued(cell=cell, code=code, worksheet=worksheet)),
                Frame(stream=Stream(text=f"ran {code}\n")),
                Frame(finished=Finished(status=Finished.OK)),
            )
            transcripts.write(
                cursor, worksheet, account, [Transcript(cell, code, frames)], {cell: cell},
                language="", reason="",
            )  # fmt: skip
        return cell

    def kept(self, handout: str, name: str) -> str:
        """The notebook that was collected."""
        with self.web.database.reading() as cursor:
            cursor.execute(
                "SELECT notebook FROM handed_copies WHERE handout = %s AND account = %s",
                (handout.rsplit("/", 1)[1], self.ids[name]),
            )
            (text,) = cursor.fetchone() or ("",)
        return str(text)

    def wait(self, **time: float) -> None:
        """Let time pass, for whatever has a time."""
        by = timedelta(**time)
        with self.web.database.transaction() as cursor:
            for table, column in (
                ("handouts", "deadline"), ("handouts", "created"), ("handed_copies", "made"),
                ("changes", "began"), ("changes", "time"), ("worksheets", "changed"),
                ("runs", "queued"), ("runs", "started"), ("runs", "finished"),
                ("sessions", "started"), ("sessions", "ended"),
            ):  # fmt: skip
                cursor.execute(f"UPDATE {table} SET {column} = {column} - %s", (by,))

    def set_deadline_to_now(self) -> None:
        with self.web.database.transaction() as cursor:
            cursor.execute("UPDATE handouts SET deadline = now()")


@pytest.fixture
def school(web: WebApp, teacher: FlaskClient, algebra: str) -> School:
    return School(web, teacher, algebra)


def in_days(days: float) -> str:
    """As a form says it, in Berlin."""
    there = datetime.now(UTC).astimezone(classes.zone_of("Europe/Berlin"))
    return (there + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M")


def test_everybody_gets_a_copy_also_who_joins_later(school: School) -> None:
    handout = school.hand_out()
    late = new_student(school.web, school.code, "Late")
    copies = school.copies(handout)
    assert [*copies] == ["Ada", "Emmy", "Late", "Zoe"]
    assert len({copy.worksheet for copy in copies.values()}) == 4
    with school.web.database.reading() as cursor:
        made = exchange.export(cursor, copies["Late"].worksheet, "")
        (file,) = folders.listing(cursor, copies["Late"].worksheet)
        assert folders.piece(cursor, file.id, 0) == b"1,2"
    assert [part.code for part in made.parts] == ["# Rings", "1+1"]
    assert made.parts[1].frames[0].stream.text == "shown before\n"
    page = late.get(school.path).text
    assert f"/w/{copies['Late'].worksheet}" in page
    assert "31 December 2099" in page
    assert "(Europe/Berlin time)" in page
    assert late.get(f"/w/{copies['Late'].worksheet}").status_code == 200
    assert late.get(f"/w/{copies['Ada'].worksheet}").status_code == 404


def test_only_a_worksheet_of_one_s_own_and_with_a_deadline_to_come(
    school: School, web: WebApp
) -> None:
    with web.database.transaction() as cursor:
        foreign = documents.create(cursor, school.ids["Ada"], "Ada's own")
        own = documents.create(cursor, school.ids["Ms Noether"], "Own")
    for form, status in (
        ({"worksheet": foreign}, 404),
        ({"worksheet": "x"}, 400),
        ({"worksheet": own, "deadline": "tomorrow"}, 400),
        ({"worksheet": own, "deadline": "2020-01-01T00:00"}, 409),
        ({"worksheet": own, "deadline": "0001-01-01T00:00"}, 409),
        ({"worksheet": own, "deadline": "9999-12-31T23:59"}, 400),
    ):
        assert school.teacher.post(f"{school.path}/handouts", data=form).status_code == status
    far = {"worksheet": own, "deadline": "9998-12-31T23:59"}
    assert school.teacher.post(f"{school.path}/handouts", data=far).status_code == 303
    assert school.teacher.get(school.path).status_code == 200
    ada = school.students["Ada"]
    assert ada.get(school.path).status_code == 200
    assert ada.post(f"{school.path}/handouts", data={"worksheet": foreign}).status_code == 403
    assert school.copies(school.hand_out())


def test_what_is_collected_is_what_was_there_at_the_deadline(school: School) -> None:
    """Though the site was down then, and people went on at once."""
    handout = school.hand_out(in_days(1))
    copies = school.copies(handout)
    ada, emmy = copies["Ada"].worksheet, copies["Emmy"].worksheet
    school.type(ada, "before")
    school.set_deadline_to_now()
    school.type(ada, "after")  # within the burst of typing that is one row
    school.type(emmy, "after", str(uuid.uuid4()))
    with school.web.database.transaction() as cursor:
        documents.trash(cursor, copies["Zoe"].worksheet)
        documents.purge(cursor, copies["Zoe"].worksheet)
    assert school.web.rounds.collect() == 0  # output may be on its way still
    school.wait(hours=1)
    assert school.web.rounds.collect() == 3
    text = school.kept(handout, "Ada")
    assert "before" in text
    assert "ran before" in text
    assert "after" not in text
    assert "shown before" in school.kept(handout, "Emmy")
    assert "after" not in school.kept(handout, "Emmy")
    assert not school.copies(handout)["Zoe"].kept
    with school.web.database.reading() as cursor:
        now = exchange.export(cursor, ada, "")
    assert now.parts[-1].code == "after"  # the worksheet goes on
    assert "deadline collected" in actions(school.web)
    assert "as of" in school.teacher.get(handout).text
    assert "Collected as it was on" in school.students["Ada"].get(school.path).text
    assert notebooks.read(text, "").title == "Sheet 1"


def test_several_app_servers_give_and_collect_each_copy_once(
    school: School, web: WebApp, host_settings: Any
) -> None:
    url = database_url(host_settings)
    others = [
        Database(url=url, connections=4, wait_seconds=10, statement_seconds=30) for _ in range(3)
    ]
    servers = [
        Rounds(database=one, delivery=web.rounds._delivery, words=Words()) for one in others
    ]
    for number in range(9):
        with web.database.transaction() as cursor:
            account = accounts.create(cursor, name=f"Student {number}", role="member")
            classes.join(cursor, school.path.rsplit("/", 1)[1], account)
    handout = school.hand_out(in_days(1))
    with web.database.transaction() as cursor:
        cursor.execute("DELETE FROM handed_copies")
    given = gevent.joinall([gevent.spawn(one.give) for one in servers])
    assert sum(one.get() for one in given) == 12
    with web.database.reading() as cursor:
        cursor.execute("SELECT count(*) FROM worksheets WHERE title = 'Sheet 1'")
        assert cursor.fetchone() == (1 + 12 + 12,)
    school.wait(days=2)
    gathered = gevent.joinall([gevent.spawn(one.collect) for one in servers])
    assert sum(one.get() for one in gathered) == 12
    assert actions(web).count("deadline collected") == 1
    assert all(copy.kept for copy in school.copies(handout).values())
    for one in others:
        one.close()


def test_a_deadline_moves_until_it_has_passed(school: School) -> None:
    handout = school.hand_out(in_days(1))
    school.wait(hours=23)
    moved = school.teacher.post(f"{handout}/deadline", data={"deadline": in_days(2)})
    assert moved.status_code == 303
    school.wait(hours=23)
    assert school.web.rounds.collect() == 0
    school.wait(days=2)
    later = school.teacher.post(f"{handout}/deadline", data={"deadline": in_days(9)})
    assert (later.status_code, "has passed" in later.text) == (409, True)
    assert school.web.rounds.collect() == 3


def test_a_teacher_collects_at_once_and_again_who_came_later(school: School) -> None:
    handout = school.hand_out("")
    school.type(school.copies(handout)["Ada"].worksheet, "done")
    assert school.teacher.post(f"{handout}/collect").status_code == 303
    new_student(school.web, school.code, "Late")
    copies = school.copies(handout)
    assert [name for name, copy in copies.items() if copy.collected] == ["Ada", "Emmy", "Zoe"]
    first = copies["Ada"].collected
    school.type(copies["Ada"].worksheet, "too late")
    school.teacher.post(f"{handout}/collect")
    copies = school.copies(handout)
    assert copies["Late"].kept
    assert copies["Ada"].collected == first
    assert "too late" not in school.kept(handout, "Ada")
    assert "ran done" in school.kept(handout, "Ada")


def test_output_that_is_none_keeps_nobody_from_being_collected(school: School) -> None:
    handout = school.hand_out(in_days(1))
    worksheet = school.copies(handout)["Ada"].worksheet
    broken = Bundle(parts=[Bundle.Part(type="application/json", data=b"{")])
    with school.web.database.transaction() as cursor:
        cell = worksheets.load(cursor, worksheet, "").cells[-1].id
        queued = Frame(queued=Queued(cell=cell, code="1+1", worksheet=worksheet))
        said = [Transcript(cell, "1+1", (queued, Frame(bundle=broken)))]
        account = school.ids["Ada"]
        transcripts.write(cursor, worksheet, account, said, {cell: cell}, language="", reason="")
    school.wait(days=2)
    assert school.web.rounds.collect() == 3
    kept = notebooks.read(school.kept(handout, "Ada"), "")
    assert [part.code for part in kept.parts] == [collected.LOST, "# Rings", "1+1"]
    assert "shown before" in school.kept(handout, "Emmy")


def test_collecting_just_after_the_deadline_takes_what_was_there_then(school: School) -> None:
    handout = school.hand_out(in_days(1))
    worksheet = school.copies(handout)["Ada"].worksheet
    school.type(worksheet, "before")
    school.set_deadline_to_now()
    school.type(worksheet, "after")
    school.teacher.post(f"{handout}/collect")
    assert "before" in school.kept(handout, "Ada")
    assert "after" not in school.kept(handout, "Ada")


def test_who_has_left_is_not_collected_from_but_what_was_stays(school: School) -> None:
    first, second = school.hand_out(in_days(1)), school.hand_out(in_days(3), "Sheet 2")
    school.wait(days=2)
    school.web.rounds.collect()
    school.students["Ada"].post(f"{school.path}/leave")
    school.wait(days=2)
    school.web.rounds.collect()
    assert [*school.copies(first)] == ["Ada", "Emmy", "Zoe"]
    assert not school.copies(first)["Ada"].attends
    assert [*school.copies(second)] == ["Emmy", "Zoe"]
    with school.web.database.transaction() as cursor:
        cursor.execute("DELETE FROM accounts WHERE id = %s", (school.ids["Ada"],))
    assert [*school.copies(first)] == ["Emmy", "Zoe"]


def test_handouts_are_their_teachers_alone(school: School, web: WebApp) -> None:
    handout = school.hand_out()
    other, _ = web.person("teacher", "Mr Other")
    made = other.post("/classes", data={"title": "Other", "zone": "UTC"}).location
    number = handout.rsplit("/", 1)[1]
    for browser, path, status in (
        (school.students["Ada"], handout, 403),
        (other, handout, 404),
        (other, f"{made}/handouts/{number}", 404),  # of another class
        (web.client(), handout, 403),
        (web.person("administrator")[0], handout, 200),
    ):
        assert browser.get(path).status_code == status
    assert other.post(f"{handout}/collect").status_code == 404
    assert other.post(f"{made}/handouts/{number}/collect").status_code == 404
    assert not any(copy.collected for copy in school.copies(handout).values())


# --- Comments, returning, the zip ---------------------------------------------------


@pytest.fixture
def sheet(school: School) -> str:
    """A handout of which everything is collected; its path."""
    handout = school.hand_out(in_days(1))
    own = school.copies(handout)["Ada"].worksheet
    school.type(own, "2+2 <script>")
    with school.web.database.transaction() as cursor:
        pieces = [b"x" * folders.PIECE, b"the end"]
        size = sum(map(len, pieces))
        folders.put(cursor, own, "results/long.txt", iter(pieces), size, limit=2 * size)
    school.wait(days=2)
    assert school.web.rounds.collect() == 3
    return handout


def test_comments_are_read_once_they_are_returned(school: School, sheet: str) -> None:
    ada, copy = school.students["Ada"], f"{sheet}/copies/{school.ids['Ada']}"
    said = {"overall": "**Good**, as $x^2$ <b>", "cell-1": "Why?", "cell-x": "no", "cell-0": " "}
    assert school.teacher.post(copy, data={**said, "then": "save"}).status_code == 303
    page = ada.get(copy)
    assert (page.status_code, "Why?" in page.text) == (200, False)
    assert "Why?" in school.teacher.get(copy).text
    assert school.teacher.post(copy, data={**said, "then": "return"}).status_code == 303
    page = ada.get(copy)
    for words in ("Why?", "<strong>Good</strong>", "<math", "<b></b>", "ran 2+2 &lt;script&gt;"):
        assert words in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert "Returned: read the comments" in ada.get(school.path).text
    assert "Ms Noether returned" in actions(school.web)


def test_returning_all_leaves_what_is_returned(school: School, sheet: str) -> None:
    path = f"{sheet}/copies/{school.ids['Ada']}"
    school.teacher.post(path, data={"then": "return"})
    first = school.copies(sheet)["Ada"].returned
    assert school.teacher.post(f"{sheet}/return").status_code == 303
    copies = school.copies(sheet)
    assert copies["Ada"].returned == first
    assert all(copy.returned for copy in copies.values())
    page = school.students["Zoe"].get(f"{sheet}/copies/{school.ids['Zoe']}").text
    assert "returned without a comment" in page


def test_nobody_reads_or_comments_on_another_s_copy(school: School, sheet: str) -> None:
    other, _ = school.web.person("teacher", "Mr Other")
    copy = f"{sheet}/copies/{school.ids['Ada']}"
    school.teacher.post(copy, data={"overall": "Secret", "then": "return"})
    for browser, status in (
        (school.students["Emmy"], 404),
        (other, 404),
        (school.web.client(), 403),
        (school.web.person("guest")[0], 403),
        (school.web.person("administrator")[0], 200),
        (school.students["Ada"], 200),
    ):
        assert browser.get(copy).status_code == status
    assert school.students["Ada"].post(copy, data={"overall": "A+"}).status_code == 403
    assert other.post(copy, data={"overall": "F"}).status_code == 404
    assert school.students["Ada"].get(f"{sheet}/collected.zip").status_code == 403
    assert other.get(f"{sheet}/collected.zip").status_code == 404
    school.students["Ada"].post(f"{school.path}/leave")
    assert school.students["Ada"].get(copy).status_code == 404
    assert school.teacher.get(copy).status_code == 200


def test_the_zip_has_a_folder_for_each_student(school: School, sheet: str) -> None:
    copy = f"{sheet}/copies/{school.ids['Ada']}"
    school.teacher.post(copy, data={"overall": "Good", "cell-1": "Why?"})
    with school.web.database.transaction() as cursor:
        cursor.execute("UPDATE accounts SET name = '../ADA' WHERE name = 'Emmy'")
        cursor.execute("UPDATE handed_copies SET notebook = NULL WHERE account = %s",
                       (school.ids["Zoe"],))  # fmt: skip
    answer = school.teacher.get(f"{sheet}/collected.zip")
    assert "Algebra I Sheet 1.zip" in answer.headers["Content-Disposition"]
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    assert archive.testzip() is None
    assert sorted(archive.namelist()) == [
        "ADA/Sheet 1.ipynb", "ADA/files/data.csv", "Ada 2/Sheet 1.ipynb", "Ada 2/comments.md",
        "Ada 2/files/data.csv", "Ada 2/files/results/long.txt",
    ]  # fmt: skip
    assert archive.read("Ada 2/files/data.csv") == b"1,2"
    assert archive.read("Ada 2/files/results/long.txt").endswith(b"xthe end")
    text = archive.read("Ada 2/Sheet 1.ipynb").decode()
    notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    assert notebook.cells[1].outputs[0].text == "ran 2+2 <script>\n"
    assert archive.read("Ada 2/comments.md").decode() == "Good\n\n## Cell 2\n\nWhy?\n"


def test_a_student_takes_along_what_was_collected_and_returned(
    school: School, sheet: str
) -> None:
    copy = f"{sheet}/copies/{school.ids['Ada']}"
    school.teacher.post(f"{copy}/enter")
    for then, told in (("save", ""), ("return", "Good")):
        school.teacher.post(copy, data={"overall": "Good", "cell-1": "Why?", "then": then})
        answer = school.students["Ada"].get("/account/export")
        archive = zipfile.ZipFile(io.BytesIO(answer.data))
        known = json.loads(archive.read("classes.json"))
        assert [one["title"] for one in known["attends"]] == ["Algebra I"]
        assert [one["by"] for one in known["entered"]] == ["Ms Noether"]
        (kept,) = known["copies"]
        assert (kept["title"], kept["comment"]) == ("Sheet 1", told)
        assert kept["cells"] == ({"2": "Why?"} if told else None)
        name, *files = (name for name in archive.namelist() if name.startswith("collected/"))
        assert "2+2" in archive.read(name).decode()
        assert [file.split("/", 2)[2] for file in files] == ["data.csv", "results/long.txt"]


# --- Teachers in worksheets of students -----------------------------------------------


def test_a_teacher_enters_and_the_student_reads_it(school: School) -> None:
    handout = school.hand_out()
    worksheet = school.copies(handout)["Ada"].worksheet
    ada, enter = school.students["Ada"], f"{handout}/copies/{school.ids['Ada']}/enter"
    assert school.teacher.get(f"/w/{worksheet}").status_code == 404  # not without a trace
    assert "Ms Noether" not in ada.get(f"/w/{worksheet}").text
    assert school.teacher.post(enter).location == f"/w/{worksheet}"
    page = school.teacher.get(f"/w/{worksheet}")
    assert (page.status_code, "This worksheet is Ada&#39;s" in page.text) == (200, True)
    for path in (f"/w/{worksheet}", school.path):
        told = ada.get(path).text
        assert "Ms Noether" in told
        assert "(Europe/Berlin time)" in told
    with school.web.database.reading() as cursor:
        (entry,) = [e for e in audit.entries(cursor) if e.action == "entered a worksheet of"]
        permission = permissions.find(cursor, school.ids["Ms Noether"], worksheet)
    assert (entry.actor, entry.subject, entry.detail) == ("Ms Noether", "Ada", "Sheet 1")
    assert permission
    assert (permission.account, permission.kind) == (school.ids["Ada"], "member")
    assert (permission.writes, permission.owns) == (True, False)
    for path in ("share", "trash", "purge"):
        assert school.teacher.post(f"/w/{worksheet}/{path}").status_code == 403


def test_a_teacher_sees_whose_copy_computes(school: School) -> None:
    handout = school.hand_out()
    assert "session:" not in school.teacher.get(handout).text
    with school.web.database.transaction() as cursor:
        for name, state in (("Ada", "busy"), ("Emmy", "idle")):
            session, copy = str(uuid.uuid4()), school.copies(handout)[name]
            cursor.execute(
                "INSERT INTO sessions (id, worksheet, server, language, started, account, kind)"
                " VALUES (%s, %s, 'a:1', 'Sage', now(), %s, 'member')",
                (session, copy.worksheet, copy.account),
            )
            cursor.execute(
                "INSERT INTO session_use VALUES (%s, 'a:1', %s, 1, 1, 1, 1, now())",
                (session, state),
            )
    page = school.teacher.get(handout).text
    assert re.findall(r"session: \w+", page) == ["session: busy", "session: idle"]
    school.teacher.post(f"{school.path}/archive")
    assert "session:" not in school.teacher.get(handout).text


def test_nothing_else_is_entered_and_by_nobody_else(school: School) -> None:
    handout = school.hand_out()
    worksheet = school.copies(handout)["Ada"].worksheet
    enter = f"{handout}/copies/{school.ids['Ada']}/enter"
    with school.web.database.transaction() as cursor:
        own = documents.create(cursor, school.ids["Ada"], "Diary")
        assert oversight.enter(cursor, own, school.ids["Ms Noether"]) is None
        copied = copies.duplicate(cursor, worksheet, school.ids["Ada"], "Copy")
        assert oversight.enter(cursor, copied, school.ids["Ms Noether"]) is None
    other, _ = school.web.person("teacher", "Mr Other")
    for browser, status in (
        (school.students["Emmy"], 403), (school.students["Ada"], 403), (other, 404),
        (school.web.client(), 403), (school.web.person("guest")[0], 403),
        (school.web.person("administrator")[0], 303), (school.web.person("owner")[0], 303),
    ):  # fmt: skip
        assert browser.post(enter).status_code == status
        assert (browser.get(f"/w/{worksheet}").status_code == 200) == (
            status == 303 or browser is school.students["Ada"]
        )
    for browser in (other, school.teacher):  # whom it is not who has entered
        assert browser.get(f"/w/{worksheet}").status_code == 404


ENDS: dict[str, Callable[[School], object]] = {
    "removed": lambda school: school.teacher.post(
        f"{school.path}/students/{school.ids['Ada']}/remove"
    ),
    "left": lambda school: school.students["Ada"].post(f"{school.path}/leave"),
    "archived": lambda school: school.teacher.post(f"{school.path}/archive"),
    "demoted": lambda school: sql(school, "UPDATE accounts SET role = 'member' WHERE id = %s"),
    "given away": lambda school: sql(school, "DELETE FROM class_teachers WHERE account = %s"),
    "late": lambda school: sql(
        school, "UPDATE visits_of_teachers SET expires = now() WHERE account = %s"
    ),
}


def sql(school: School, statement: str) -> None:
    with school.web.database.transaction() as cursor:
        cursor.execute(statement, (school.ids["Ms Noether"],))


@pytest.mark.parametrize("how", ENDS)
def test_a_teacher_is_shown_out_at_once(school: School, how: str) -> None:
    handout = school.hand_out()
    worksheet = school.copies(handout)["Ada"].worksheet
    teacher = school.ids["Ms Noether"]
    assert school.teacher.post(f"{handout}/copies/{school.ids['Ada']}/enter").status_code == 303
    with school.web.database.transaction() as cursor:
        secret = accounts.admit(cursor, teacher, 1, Origin("address"))
    page, own = (
        Browser(account=teacher, kind="teacher", worksheet=worksheet, outbox=1000,
                sign_in=accounts.digest(secret))
        for _ in range(2)
    )  # fmt: skip
    page.owns = False
    for each in (page, own):
        school.web.browsers.add(each)
    school.web.standing.check()
    assert not page.dismissed
    ENDS[how](school)
    school.web.standing.check()
    assert page.dismissed
    assert bool(own.dismissed) == (how == "demoted")  # signed in as another kind
    assert school.teacher.get(f"/w/{worksheet}").status_code == 404
    with school.web.database.reading() as cursor:
        assert permissions.find(cursor, teacher, worksheet) is None
