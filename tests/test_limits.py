"""What a session may use: each limit speaks, ends what it must, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from app import settings
from app.db import Database
from app.limits import runs_within_an_hour
from app.sage.census import INTERVAL
from app.sage.usage import Excess, Use, excess
from app.settings import Limits
from app.wire.messages_pb2 import (
    Active,
    Cancel,
    End,
    Execute,
    Finished,
    Message,
    Refused,
    Restart,
    State,
    Usage,
)
from supervisor.postgresql import database_url
from tests import host
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite, kill_all, sage_server, supervised


@pytest.fixture(scope="module")
def narrow() -> Iterator[RunningSite]:
    """A site of two sessions, with limits that are soon reached."""
    host.needs_sage()
    with host.short_folder() as folder:
        running = supervised(
            folder,
            sage_max_sessions="2",
            sage_sample_seconds="0.1",
            sage_warn_seconds="60",
            limits_memory="300000000",
            limits_disk="50000000",
            limits_run_seconds="20",
            limits_idle_seconds="61",
            limits_session_output="300000",
            limits_cpu_seconds="60",
        )
        running.start()
        yield running
        running.stop()


@pytest.fixture
def start() -> Iterator[Callable[..., RunningSite]]:
    """Starts sites of a test's own, with these settings; they are stopped afterwards."""
    with ExitStack() as stack:

        def started(**keys: str) -> RunningSite:
            folder = stack.enter_context(host.short_folder())
            running = supervised(folder, sage_sample_seconds="0.1", **keys)
            stack.callback(running.stop)
            running.start()
            return running

        yield started


@pytest.fixture
def someone(narrow: RunningSite) -> SignedIn:
    return SignedIn(narrow.new_address())


@pytest.fixture
def tight(someone: SignedIn) -> Iterator[Page]:
    """A fresh worksheet, open; its session is ended afterwards."""
    opened = Page(someone, someone.new_worksheet())
    yield opened
    end(opened)


def end(page: Page) -> None:
    """End its session, and wait until that has happened."""
    if any(page.frames()) and page.messages[-1].state.kind != State.DEAD:
        page.send(end=End())
        page.until_state(State.DEAD)
    page.close()


def state_that(page: Page, **wanted: object) -> State:
    """The next state in which every field is as wanted."""

    def fits(message: Message) -> bool:
        return message.HasField("state") and all(
            getattr(message.state, name) == value for name, value in wanted.items()
        )

    return page.until(fits).state


def test_above_the_limit_people_wait_and_see_their_place(
    tight: Page, someone: SignedIn
) -> None:
    tight.run("1")
    second = Page(someone, someone.new_worksheet())
    second.run("2")
    third, fourth = (Page(someone, someone.new_worksheet()) for _ in range(2))
    run = third.start("print('at last')")
    waiting = state_that(third, kind=State.WAITING, place=1)
    assert waiting.reason == "this server has as many sessions as it may have (2)"
    fourth.start("4")
    state_that(fourth, kind=State.WAITING, place=2)
    end(second)
    assert third.finish(run).status == Finished.OK
    state_that(fourth, kind=State.WAITING, place=1)
    end(third)
    end(fourth)


def test_who_waits_can_leave(tight: Page, someone: SignedIn) -> None:
    tight.run("1")
    second, third, fourth = (Page(someone, someone.new_worksheet()) for _ in range(3))
    second.run("2")
    run = third.start("3")
    state_that(third, kind=State.WAITING, place=1)
    later = fourth.start("4")
    state_that(fourth, kind=State.WAITING, place=2)
    third.send(end=End())
    finished = third.finish(run)
    assert (finished.status, finished.reason) == (Finished.CANCELLED, "you left the queue")
    state_that(fourth, kind=State.WAITING, place=1)
    fourth.send(cancel=Cancel(run=later))  # nothing is left to wait for
    assert fourth.finish(later).status == Finished.CANCELLED
    state_that(fourth, kind=State.DEAD)
    for page in (second, third, fourth):
        end(page)


def test_a_restart_keeps_its_place(tight: Page, someone: SignedIn) -> None:
    tight.run("1")
    second, third = (Page(someone, someone.new_worksheet()) for _ in range(2))
    second.run("2")
    third.start("3")
    state_that(third, kind=State.WAITING)
    tight.send(restart=Restart())
    assert tight.run("print('mine')").status == Finished.OK
    assert third.messages[-1].state.kind == State.WAITING
    end(second)
    end(third)


def test_a_run_that_takes_too_long_is_interrupted_and_the_session_lives(
    start: Callable[..., RunningSite],
) -> None:
    hasty = start(limits_run_seconds="0.5")
    person = SignedIn(hasty.address)
    page = Page(person, person.worksheet)
    page.run("a = 7")
    finished = page.run("while True: pass")
    assert finished.status == Finished.INTERRUPTED
    assert finished.reason.startswith("limit of a run's time: used 0.")
    assert finished.reason.endswith("of 0.5 s")
    page.run("print(a)")
    assert page.printed() == "7\n"
    deaf = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    finished = page.run(deaf)
    assert finished.status == Finished.DIED
    assert "did not stop when it was interrupted" in finished.reason
    page.close()


def test_memory_of_all_processes_together_is_limited_and_told(tight: Page) -> None:
    """Each process stays below the limit; only the control group, or a look, sees the sum."""
    finished = tight.run(
        "import os, time\n"
        "for i in range(5):\n"
        "    if os.fork() == 0:\n"
        "        b = bytearray(int(150 * 10^6)); time.sleep(float(600))\n"
        "time.sleep(float(600))"
    )
    assert finished.status == Finished.DIED
    assert "limit of memory: used" in finished.reason
    assert finished.reason.endswith("of 300.0 MB")
    assert tight.run("1+1").status == Finished.OK


def test_processor_time_is_limited_and_told(start: Callable[..., RunningSite]) -> None:
    site = start(limits_cpu_seconds="1.5")
    person = SignedIn(site.address)
    page = Page(person, person.worksheet)
    finished = page.run("while True: pass")
    assert finished.status == Finished.DIED
    assert "limit of processor time: used 1." in finished.reason
    page.close()


def test_output_of_a_session_is_limited_and_told(tight: Page) -> None:
    for _ in range(4):
        assert tight.run("print('x' * 99_000)").status == Finished.OK
    cut = [frame.truncated for frame in tight.frames() if frame.HasField("truncated")]
    assert [(one.limit, one.session) for one in cut] == [(300_000, True)]
    assert len(tight.printed()) < 300_000


def test_what_is_used_is_shown(tight: Page) -> None:
    tight.start("b = bytearray(int(10^8)); open('f', 'w').write('x' * 10^6); input()")

    def grown(message: Message) -> bool:
        found = meters(message.usage)
        return bool(found) and found["memory"][0] > 9e7 and found["disk"][0] >= 10**6

    found = meters(tight.until(grown).usage)
    assert found["memory"][1] == 300_000_000
    assert found["disk"][1] == 50_000_000
    assert found["processes"] == (found["processes"][0], 128)
    assert found["processes"][0] >= 1
    assert found["time of this run"][1] == 20
    assert found["CPU time"][1] == 60


def meters(usage: Usage) -> dict[str, tuple[float, float]]:
    return {meter.what: (meter.used, meter.allowed) for meter in usage.meters}


def test_an_idle_session_is_warned_and_kept_by_a_click(tight: Page) -> None:
    tight.run("a = 1")
    warning = tight.until(lambda m: m.state.ends_in > 0).state
    assert warning.kind == State.IDLE
    assert 55 < warning.ends_in <= 60
    tight.send(active=Active())
    tight.until(lambda m: m.HasField("state") and m.state.ends_in == 0)
    tight.run("print(a)")
    assert tight.printed() == "1\n"


def test_an_idle_session_ends_but_not_one_that_computes(start: Callable[..., RunningSite]) -> None:
    site = start(limits_idle_seconds="1", sage_warn_seconds="0.5")
    person = SignedIn(site.address)
    page = Page(person, person.worksheet)
    run = "import time\nfor i in range(30): time.sleep(float(0.1))"
    assert page.run(run).status == Finished.OK
    assert "nobody used it" in page.until_state(State.DEAD).reason
    page.close()


def test_limits_come_with_the_kind_of_user(start: Callable[..., RunningSite]) -> None:
    site = start(limits_processes="50", limits_owner_processes="20", limits_guest_processes="9")
    person = SignedIn(site.address)
    page = Page(person, person.worksheet)
    page.run("import resource; print(resource.getrlimit(resource.RLIMIT_NPROC)[0])")
    assert page.printed() == "20\n"
    page.close()


def test_a_zygote_is_replaced_while_its_sessions_live_on(start: Callable[..., RunningSite]) -> None:
    site = start()
    person = SignedIn(site.address)
    page = Page(person, person.worksheet)
    page.run("a = 42")
    before = {each.pid for each in zygotes(site)}
    site.processes("salvus.py sage")[0].send_signal(1)
    assert comes_true(lambda: site.logs().count("is warm") == 2)
    other = Page(person, person.new_worksheet())
    assert other.run("print(1)").status == Finished.OK
    page.run("print(a)")
    assert page.printed() == "42\n"
    page.send(restart=Restart())
    assert page.run("print(5)").status == Finished.OK
    assert comes_true(lambda: not before & {each.pid for each in zygotes(site)})
    assert other.run("print(2)").status == Finished.OK
    page.close()
    other.close()


def zygotes(site: RunningSite) -> list[psutil.Process]:
    """The processes that hold one: `unshare` where there are namespaces."""
    found = site.processes("app.sage.zygote")
    return [each for each in found if each.parent() not in found]


def comes_true(condition: object) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(condition())


def test_control_groups_go_with_the_sessions_and_with_a_killed_server(
    start: Callable[..., RunningSite],
) -> None:
    groups = Path("/sys/fs/cgroup")
    site = start()
    name = f"salvus-{site.environment['SALVUS_SAGE_PORT']}-"
    found = [Path(one) for one, _, _ in os.walk(groups) if name in one]
    if not found:
        pytest.skip("this host lets us make no control groups")
    kill_all(site.processes("salvus.py sage"))
    person = SignedIn(site.address)
    page = Page(person, person.worksheet)
    assert page.until(lambda m: m.HasField("state") and m.state.kind == State.NONE)
    page.close()
    assert comes_true(lambda: not any(one.exists() for one in found))
    site.stop()
    assert not [one for one, _, _ in os.walk(groups) if name in one]


# --- Of people and addresses --------------------------------------------------------


@pytest.fixture(scope="module")
def counting() -> Iterator[RunningSite]:
    """A site where members may run three cells an hour, and guests little, by address, too."""
    host.needs_sage()
    with host.short_folder() as folder:
        running = supervised(
            folder,
            sage_sample_seconds="0.1",
            app_proxies="127.0.0.1",
            sage_servers_file=str(folder / "servers"),
            limits_sessions="50",
            sign_in_guests="true",
            limits_run_seconds="500",
            limits_member_runs_per_hour="3",
            limits_guest_runs_per_hour="100",
            limits_guest_address_runs_per_hour="4",
            limits_guest_address_sessions="1",
        )
        (folder / "servers").write_text("")
        running.start()
        yield running
        running.stop()


@pytest.fixture
def records(counting: RunningSite) -> Iterator[Database]:
    """The database of that site."""
    read = settings.read(environment=counting.environment)
    database = Database(
        url=database_url(read), connections=2, wait_seconds=10, statement_seconds=30
    )
    yield database
    database.close()


@pytest.fixture
def member(counting: RunningSite) -> SignedIn:
    """Somebody new, called Emmy and something."""
    return SignedIn(counting.new_person(f"Emmy-{uuid.uuid4()}"))


def name_of(member: SignedIn, records: Database) -> str:
    with records.reading() as cursor:
        cursor.execute(
            "SELECT name FROM accounts JOIN worksheets ON account = accounts.id"
            " WHERE worksheets.id = %s", (member.worksheet,),
        )  # fmt: skip
        return str((cursor.fetchone() or ("",))[0])


def outcome(page: Page, code: str = "print('it ' + 'ran')") -> Refused | None:
    """What a run was refused with; None if it ran."""
    run = page.start(code)
    message = page.until(
        lambda m: m.refused.about == run or (m.frame.run == run and m.frame.HasField("finished"))
    )
    return message.refused if message.HasField("refused") else None


def settles(page: Page, *, runs: bool) -> Refused | None:
    """Run until that goes, or until it is refused: what is said elsewhere takes seconds."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        refused = outcome(page)
        if (refused is None) == runs:
            return refused
        time.sleep(0.2)
    raise AssertionError(f"still {'refused' if runs else 'run'}")


def test_more_runs_than_allowed_are_refused_until_more_are_allowed(
    counting: RunningSite, records: Database, member: SignedIn
) -> None:
    page = Page(member, member.worksheet)
    run, cell = page.start("print(1)"), str(uuid.uuid4())
    for _ in range(5):  # a page that could not know it had arrived
        page.send(execute=Execute(run=run, cell=cell, code="print(1)"))
    page.finish(run)
    assert page.printed() == "1\n"
    assert outcome(page) is None
    assert outcome(page) is None
    refused = outcome(page)
    assert refused is not None
    assert (refused.too_many.allowed, refused.too_many.network) == (3, False)
    assert 3500 < refused.too_many.seconds <= 3600
    assert re.fullmatch(r"you may run 3 cells an hour; the next at \d\d:\d\d UTC", refused.reason)
    page.close()

    # Neither another worksheet nor another connection, nor another Sage server gives more
    page = Page(member, member.new_worksheet())
    assert outcome(page) is not None
    assert comes_true(lambda: used(records, member) == 3)
    kill_all(counting.processes("salvus.py sage"))
    page.until(lambda m: m.state.kind == State.STARTING)
    page.until(lambda m: m.state.kind == State.NONE)
    settles(page, runs=False)

    name = name_of(member, records)
    said = counting.run(
        "raise-limit", name, "runs_per_hour", "50", "--for", "2h", "--reason", "An exam."
    )
    assert re.search(rf"{name}: runs_per_hour 50 until .* UTC, by operator: An exam\.", said)
    assert "An exam." in counting.run("raised-limits", "--who", name)
    settles(page, runs=True)
    assert "the usual limit of runs_per_hour" in counting.run(
        "take-back-limit", name, "runs_per_hour"
    )
    assert counting.run("raised-limits", "--who", name) == ""
    settles(page, runs=False)

    counting.run("raise-limit", name, "runs_per_hour", "60", "--for", "1d", "--reason", "Again.")
    settles(page, runs=True)
    with records.transaction() as cursor:
        cursor.execute("UPDATE raised_limits SET expires = now()")
    settles(page, runs=False)
    said = counting.run("audit", "--who", name)
    assert "runs_per_hour to 50 for 2 h 0 min: An exam." in said
    assert "took back a raised limit" in said
    page.close()


def used(records: Database, member: SignedIn) -> int:
    with records.reading() as cursor:
        cursor.execute("SELECT account::text FROM worksheets WHERE id = %s", (member.worksheet,))
        (account,) = cursor.fetchone() or ("",)
        return runs_within_an_hour(cursor, account)


def test_runs_on_several_sage_servers_count_together(
    counting: RunningSite, records: Database, member: SignedIn
) -> None:
    name, pages = name_of(member, records), []
    counting.run("raise-limit", name, "runs_per_hour", "60", "--for", "1h", "--reason", "Two.")
    with sage_server(counting) as address:
        (counting.data_dir / "servers").write_text(address)
        while len(servers_of(records, member)) < 2:  # worksheets spread by chance
            page = Page(member, member.new_worksheet())
            settles(page, runs=True)
            pages.append(page)
            assert len(pages) < 50
            time.sleep(0.5)
        while all(outcome(page) is None for page in pages):
            pass
        time.sleep(2 * INTERVAL)  # each hears of the other
        assert all(outcome(page) for page in pages)
        for page in pages:
            end(page)
        (counting.data_dir / "servers").write_text("")


def servers_of(records: Database, member: SignedIn) -> set[str]:
    """Where somebody's runs were counted."""
    with records.reading() as cursor:
        cursor.execute(
            "SELECT server FROM run_counts"
            " WHERE subject = (SELECT 'account ' || account FROM worksheets WHERE id = %s)",
            (member.worksheet,),
        )
        return {server for (server,) in cursor.fetchall()}


def test_what_is_raised_holds_for_running_sessions_as_far_as_it_can(
    counting: RunningSite, records: Database, member: SignedIn
) -> None:
    page = Page(member, member.worksheet)
    page.run("1")
    name = name_of(member, records)
    for limit, value in (("run_seconds", "1h"), ("memory", "5 GiB"), ("runs_per_hour", "9")):
        counting.run("raise-limit", name, limit, value, "--for", "1h", "--reason", "A thesis.")
    found = page.until(lambda m: runs_of(m) == (1, 9))
    assert meters(found.usage)["time of this run"][1] == 3600
    assert meters(found.usage)["memory"][1] == 4 << 30  # the kernel holds it to that
    page.send(restart=Restart())
    page.run("2")
    found = page.until(lambda m: m.HasField("usage"))
    assert meters(found.usage)["memory"][1] == 5 << 30
    for limit in ("run_seconds", "memory", "runs_per_hour"):
        counting.run("take-back-limit", name, limit)
    found = page.until(lambda m: runs_of(m) == (2, 3))
    assert meters(found.usage)["time of this run"][1] == 3600  # it keeps what it was given
    page.send(restart=Restart())
    page.run("3")
    found = page.until(lambda m: m.HasField("usage"))
    assert meters(found.usage)["memory"][1] == 4 << 30
    assert meters(found.usage)["time of this run"][1] == 500
    end(page)


def runs_of(message: Message) -> tuple[float, float] | None:
    return meters(message.usage).get("runs within an hour")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody", "memory", "5 GiB", "--for", "1h", "--reason", "r"), "nobody is called nobody"),
        (("NAME", "memory", "much", "--for", "1h", "--reason", "r"), "expected a size"),
        (("NAME", "memory", "1 GiB", "--for", "1h", "--reason", "r"), "they may have 4.3 GB"),
        (("NAME", "memory", "5 GiB", "--for", "ever", "--reason", "r"), "expected a time"),
        (("NAME", "memory", "5 GiB", "--for", "1h", "--reason", " "), "say in 1 to 500 characters"),
        (("NAME", "colour", "red", "--for", "1h", "--reason", "r"), "'colour' is not one of"),
    ],
)
def test_nonsense_at_the_command_line_is_refused(
    counting: RunningSite, records: Database, member: SignedIn, arguments: tuple[str, ...],
    said: str,
) -> None:  # fmt: skip
    who = name_of(member, records)
    words = [who if word == "NAME" else word for word in arguments]
    with pytest.raises(subprocess.CalledProcessError) as refused:
        counting.run("raise-limit", *words)
    assert said in refused.value.stderr
    assert counting.run("raised-limits", "--who", who) == ""


def test_guests_of_one_address_have_no_more_than_it_may(counting: RunningSite) -> None:
    def guest(address: str) -> Page:
        comes_in = SignedIn(counting.address, comes_from=address, guest=True)
        return Page(comes_in, comes_in.worksheet)

    first, second = guest("2001:db8::1"), guest("2001:db8::2:3")  # of one /64
    far = guest("2001:db8:0:1::1")
    assert outcome(first) is None
    run = second.start("print(2)")
    waiting = state_that(second, kind=State.WAITING)
    assert waiting.reason == "all from your network together may have 1 sessions at a time"
    assert outcome(far) is None
    end(first)
    assert second.finish(run).status == Finished.OK
    assert outcome(second) is None
    assert outcome(second) is None
    refused = outcome(second)
    assert refused is not None
    assert (refused.too_many.allowed, refused.too_many.network) == (4, True)
    assert refused.reason.startswith("all from your network together may run 4 cells an hour; the")
    assert outcome(far) is None
    end(second)
    end(far)


@pytest.mark.parametrize(
    ("use", "limits", "expected"),
    [
        (Use(), Limits(), None),
        (Use(cpu_seconds=1e6, seconds=1e6, run_seconds=1e6), Limits(), None),
        (
            Use(memory=1_200_000_000),
            Limits(memory=1_000_000_000),
            Excess("limit of memory: used 1.2 GB of 1.0 GB"),
        ),
        (
            Use(cpu_seconds=61),
            Limits(cpu_seconds=60),
            Excess("limit of processor time: used 61 s of 60 s"),
        ),
        (
            Use(run_seconds=7300),
            Limits(run_seconds=7200),
            Excess("limit of a run's time: used 2.0 h of 2.0 h", run=True),
        ),
        (
            Use(seconds=301),
            Limits(session_seconds=300),
            Excess("limit of a session's time: used 5 min of 5 min"),
        ),
    ],
)
def test_what_is_too_much_and_how_it_is_said(
    use: Use, limits: Limits, expected: Excess | None
) -> None:
    assert excess(use, limits) == expected
