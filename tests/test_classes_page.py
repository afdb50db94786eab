"""A class in real browsers, on a whole site: from its code to the comments on what came back."""

from __future__ import annotations

import re
import secrets
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import gevent
import nbformat
import psycopg2
import pytest
from playwright.sync_api import Browser, BrowserContext, expect
from playwright.sync_api import Page as Tab

from app import settings
from app.wire.messages_pb2 import Finished
from supervisor.postgresql import database_url
from tests.browser import PATIENCE, editor, finished, new_worksheet, output, run
from tests.classroom import Classroom
from tests.page_client import Page
from tests.running_site import RunningSite

PASSWORD = "correct horse battery"
ZONE = "Europe/Berlin"


@contextmanager
def person(browser: Browser, size: tuple[int, int] = (1280, 900)) -> Iterator[BrowserContext]:
    made = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, timezone_id=ZONE, accept_downloads=True
    )
    made.set_default_timeout(PATIENCE)
    yield made
    made.close()


@pytest.fixture
def teacher(browser: Browser) -> Iterator[BrowserContext]:
    with person(browser) as made:
        yield made


@pytest.fixture
def student(browser: Browser) -> Iterator[BrowserContext]:
    with person(browser, (360, 780)) as made:
        yield made


@pytest.fixture
def another(browser: Browser) -> Iterator[BrowserContext]:
    with person(browser) as made:
        yield made


def fill_in(tab: Tab, name: str) -> None:
    tab.get_by_label("Your name").fill(name)
    tab.get_by_label("Name to sign in by").fill(f"{name}-{secrets.token_hex(3)}".lower())
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Join", exact=True).click()


def new_class(context: BrowserContext, site: RunningSite) -> tuple[Tab, str]:
    """A teacher comes in and makes a class; its page, and its code."""
    tab = context.new_page()
    tab.goto(site.run("invite", "--role", "teacher").strip())
    fill_in(tab, "Ms-Noether")
    expect(editor(tab, 1)).to_be_visible(timeout=PATIENCE)
    tab.goto(f"http://127.0.0.1:{site.port}/worksheets")
    tab.get_by_role("link", name="Classes").click()
    tab.get_by_label("Title").fill("Algebra I")
    expect(tab.get_by_label("Time zone of its deadlines")).to_have_value(ZONE)
    tab.get_by_role("button", name="Make it").click()
    tab.get_by_label("Seats").fill("2")
    tab.get_by_role("button", name="Make a code").click()
    return tab, tab.get_by_role("link", name=re.compile("^[A-Z2-9]{4}-[A-Z2-9]{4}$")).inner_text()


def join(context: BrowserContext, site: RunningSite, code: str, name: str) -> Tab:
    """A student comes in by the code on the blackboard; the class's page."""
    tab = context.new_page()
    tab.goto(f"http://127.0.0.1:{site.port}/join")
    tab.get_by_label("The code of your class").fill(code)
    tab.get_by_role("button", name="Go on").click()
    fill_in(tab, name)
    expect(tab.get_by_role("heading", name="Algebra I")).to_be_visible()
    return tab


def hand_out(tab: Tab, site: RunningSite, title: str, code: str, deadline: str = "") -> None:
    """The teacher writes a worksheet and gives it to all, from the page of the class."""
    address = tab.url.partition("#")[0]
    sheet = new_worksheet(tab.context, site)
    sheet.get_by_role("textbox", name="Title").fill(title)
    editor(sheet, 1).focus()
    sheet.keyboard.insert_text(code)
    sheet.keyboard.press("Escape")
    expect(sheet.locator("#saved")).to_have_text("saved")
    sheet.close()
    tab.goto(address)
    tab.get_by_label("Worksheet of yours").select_option(title)
    tab.get_by_label("Deadline, if any").fill(deadline)
    tab.get_by_role("button", name="Hand out").click()
    expect(tab.get_by_role("heading", name=title)).to_be_visible()


def in_hours(hours: float) -> datetime:
    return datetime.now(ZoneInfo(ZONE)) + timedelta(hours=hours)


def test_a_class_from_its_code_to_the_comments(
    teacher: BrowserContext,
    student: BrowserContext,
    another: BrowserContext,
    site: RunningSite,
    tmp_path: Path,
) -> None:
    board, code = new_class(teacher, site)
    mine = join(student, site, code, "Ada")
    theirs = join(another, site, code, "Emmy")
    class_page = board.url.partition("#")[0]
    waiting = new_worksheet(student, site)
    hand_out(board, site, "Sheet 1", "# what is 6*7?", in_hours(24).strftime("%Y-%m-%dT%H:%M"))
    handout = board.url
    expect(waiting.get_by_role("alert")).to_contain_text("Algebra I: “Sheet 1” is handed out")

    mine.reload()
    expect(mine.get_by_text("in 23 hours").or_(mine.get_by_text("in 1 day"))).to_be_visible()
    expect(mine.get_by_text("(Europe/Berlin time)")).to_be_visible()
    mine.get_by_role("link", name="Sheet 1").click()
    expect(finished(run(mine, 1, "\n6*7"))).to_contain_text("42")
    expect(mine.locator("#saved")).to_have_text("saved")

    board.get_by_role("button", name="Collect now").click()
    students = board.get_by_role("table", name="Students")
    expect(students.get_by_role("link", name="What was collected of Emmy")).to_be_visible()
    students.get_by_role("link", name="What was collected of Ada").click()
    first = board.get_by_role("region", name="Cell 1", exact=True)
    expect(first).to_contain_text("42")
    first.get_by_text("Comment on cell 1").click()
    first.get_by_role("textbox").fill("Yes, **but why**?")
    board.get_by_label("Comment on the whole").fill("Well done: $x^2$")
    board.get_by_role("button", name="Save and return to Ada").click()
    expect(board.get_by_text("Returned on")).to_be_visible()
    expect(waiting.get_by_role("alert")).to_contain_text("“Sheet 1” is returned")

    mine.goto(class_page)
    assert mine.evaluate("document.documentElement.scrollWidth") <= 360
    mine.get_by_role("link", name="Returned: read the comments").click()
    comment = mine.get_by_role("complementary", name="Comment on cell 1")
    expect(comment.get_by_text("but why")).to_have_css("font-weight", "700")
    expect(mine.get_by_role("complementary", name="Comment on the whole")).to_contain_text("Well")
    expect(mine.get_by_role("complementary").locator("math")).to_have_count(1)
    assert mine.evaluate("document.documentElement.scrollWidth") <= 360

    board.goto(handout)
    with board.expect_download() as started:
        board.get_by_role("button", name="Download all as a zip").click()
    started.value.save_as(tmp_path / "all.zip")
    archive = zipfile.ZipFile(tmp_path / "all.zip")
    assert sorted(archive.namelist()) == [
        "Ada/Sheet 1.ipynb", "Ada/comments.md", "Emmy/Sheet 1.ipynb",
    ]  # fmt: skip
    text = archive.read("Ada/Sheet 1.ipynb").decode()
    notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    assert "42" in str(notebook.cells[0].outputs)
    board.get_by_role("button", name="Return all").click()
    theirs.reload()
    expect(theirs.get_by_role("link", name="Returned: read the comments")).to_be_visible()


def test_a_deadline_passes_by_itself(
    teacher: BrowserContext, student: BrowserContext, site: RunningSite
) -> None:
    board, code = new_class(teacher, site)
    mine = join(student, site, code, "Ada")
    soon = in_hours(0) + timedelta(seconds=25)
    deadline = soon.strftime("%Y-%m-%dT%H:%M:%S")
    address = board.url.partition("#")[0]
    hand_out(board, site, "Sheet 1", "1+1")
    board.get_by_label("Another deadline").evaluate(
        "(field, value) => { field.step = 1; field.value = value }", deadline
    )
    board.get_by_role("button", name="Set it").click()
    mine.reload()
    mine.get_by_role("link", name="Sheet 1").click()
    editor(mine, 1).focus()
    mine.keyboard.insert_text("before + ")
    expect(mine.locator("#saved")).to_have_text("saved")
    while datetime.now(ZoneInfo(ZONE)) < soon:
        mine.wait_for_timeout(500)
    mine.keyboard.insert_text("after + ")
    expect(mine.locator("#saved")).to_have_text("saved")
    for _ in range(60):
        board.reload()
        if board.get_by_role("link", name="What was collected of Ada").count():
            break
        board.wait_for_timeout(500)
    board.get_by_role("link", name="What was collected of Ada").click()
    cell = board.get_by_role("region", name="Cell 1", exact=True)
    expect(cell).to_contain_text("before + ")
    expect(cell).not_to_contain_text("after + ")
    mine.goto(address)
    expect(mine.get_by_text("Collected as it was on")).to_be_visible()


def test_a_teacher_enters_and_the_student_s_page_says_so(
    teacher: BrowserContext, student: BrowserContext, site: RunningSite
) -> None:
    board, code = new_class(teacher, site)
    mine = join(student, site, code, "Ada")
    class_page = board.url.partition("#")[0]
    hand_out(board, site, "Sheet 1", "secret = 42")
    mine.reload()
    mine.get_by_role("link", name="Sheet 1").click()
    expect(editor(mine, 1)).to_be_visible()
    editor(mine, 1).focus()
    mine.keyboard.press("Shift+Enter")
    finished(output(mine, 1))
    board.get_by_role("button", name="Enter the worksheet of Ada").click()
    expect(board.get_by_text("This worksheet is Ada's, who is told")).to_be_visible()
    told = mine.get_by_role("alert").get_by_text("Ms-Noether is in your worksheet “Sheet 1” now.")
    expect(told).to_be_visible()
    expect(mine.get_by_role("list", name="Others who have this worksheet open")).to_be_attached()
    expect(finished(run(board, 2, "print(secret)"))).to_contain_text("42")  # in their session
    expect(output(mine, 2)).to_contain_text("42")
    mine.reload()
    expect(mine.get_by_text("Ms-Noether was here on")).to_be_visible()

    leaving = student.new_page()
    leaving.goto(class_page)
    expect(leaving.get_by_text("Ms-Noether was in it on")).to_be_visible()
    leaving.get_by_role("button", name="Leave the class").click()
    expect(leaving.get_by_role("heading", name="Classes")).to_be_visible()
    expect(board.get_by_role("alert")).to_contain_text("there is no such worksheet")
    board.reload()
    expect(board.get_by_role("heading", name="There is no such page")).to_be_visible()
    listed = site.run("classes")
    assert re.search(r"Algebra I +Ms-Noether +0 students", listed), listed
    which = class_page.rpartition("/")[2]
    assert site.run("class-teacher", which, "Owner") == "Owner teaches Algebra I.\n"
    board.goto(f"http://127.0.0.1:{site.port}/classes")
    expect(board.get_by_text("You are in no class yet.")).to_be_visible()
    assert "Ms-Noether entered a worksheet of Ada" in site.run("audit")


def test_a_session_that_a_teacher_begins_is_the_student_s(site: RunningSite) -> None:
    room = Classroom(site)
    worksheet = room.enter(room.second, "Emmy")
    page = Page(room.teacher, worksheet)
    assert page.run("1+1").status == Finished.OK
    connection = psycopg2.connect(database_url(settings.read(environment=site.environment)))
    connection.autocommit = True
    found: list[tuple[str, str]] = []
    with connection.cursor() as cursor, gevent.Timeout(PATIENCE / 1000):
        while not found:  # it is recorded a moment later
            gevent.sleep(0.1)
            cursor.execute(
                "SELECT name, sessions.kind FROM sessions"
                " JOIN accounts ON accounts.id::text = account WHERE worksheet = %s",
                (worksheet,),
            )
            found = cursor.fetchall()
    assert found == [("Emmy", "member")]
    connection.close()
    page.close()


def test_what_has_just_been_computed_is_collected_with_its_output(site: RunningSite) -> None:
    room = Classroom(site)  # which collects as soon as a run is over
    path = f"{room.teacher.origin}{room.copy}"
    shown = room.teacher.http.get(path, timeout=PATIENCE / 1000).text
    assert "True\n" in shown  # what it printed ...
    assert r"\(2\)" in shown or ">2<" in shown  # ... and its result
