"""Classes, as browsers meet them; the database is real."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask.testing import FlaskClient

from app import accounts, audit, classes, join_codes
from app.classes import Class
from app.db import Database
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


def test_titles_and_time_zones_are_what_they_may_be(
    web: WebApp, teacher: FlaskClient, algebra: str
) -> None:
    teacher.post(algebra, data={"title": "  <b>Rings\n" + "x" * 300, "zone": "Mars/Phobos"})
    owner, account = web.person("owner")
    found = seen(web, algebra, account, "owner")
    assert found
    assert (found.title, found.zone) == ("<b>Rings " + "x" * 191, "UTC")
    assert "&lt;b&gt;Rings" in owner.get(algebra).text
