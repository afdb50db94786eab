"""Who computes without pause is found, and who does not is left alone."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import gevent
import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, expect

from app import accounts, mining, people, settings
from app.accounts import Origin
from app.db import Database, Unavailable
from app.mining import STRANGERS, Slice, judge, suspects, together
from app.sage.bookkeeper import Bookkeeper
from app.sage.consumption import Consumption, Line
from app.settings import Mining
from app.token import site_token
from supervisor.postgresql import database_url
from tests import browser as typing
from tests import host, test_axe
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite, supervised
from tests.test_status import SNAPSHOT, client

RULES = Mining()
SLICE = 600.0
NOW = 1_000_000 * SLICE
HOURS = 6  # slices


def slices(*shares: float, until: float = NOW) -> list[Slice]:
    """One after the other, the last ends at `until`; each used that share of a core."""
    first = until - len(shares) * SLICE
    return [
        Slice(first + number * SLICE, SLICE, share * SLICE) for number, share in enumerate(shares)
    ]


STEADY = [0.99] * (4 * HOURS)
CLASS = [1.0, 0.1, 0.0, 0.7, 1.0, 0.2] * 6  # people run something, and think


@pytest.mark.parametrize(
    ("used", "full_hours"),
    [
        ([], None),
        (slices(*STEADY), 4.0),
        (slices(*STEADY[:18]), 3.0),
        (slices(*STEADY[:17]), None),
        (slices(*[4.0] * 6), None),  # four cores for an hour are no three hours
        (slices(*[0.89] * 24), None),
        (slices(*CLASS), None),
        (slices(*([1.0] * 5 + [0.2]) * 4), 10 / 3),  # a guest begins anew each hour
        (slices(*STEADY, *[0.0] * 7), None),  # over for more than an hour
        (slices(*STEADY, *[0.0] * 6), 3.0),
        # The slice that has just begun: what is over of it counts
        ([*slices(*STEADY[:17], until=NOW - 400), Slice(NOW - 400, SLICE, 390)], None),
        ([*slices(*STEADY[:18], until=NOW - 400), Slice(NOW - 400, SLICE, 390)], 3 + 400 / 3600),
        # Clocks that jump
        (slices(*STEADY, until=NOW + 24 * SLICE), None),
        (slices(*STEADY[:17]) * 3, None),
        (slices(*STEADY) + slices(*STEADY, until=NOW + 10 * 86400), 4.0),
        ([Slice(0.0, SLICE, 1e9)], None),
    ],
)
def test_who_is_found(used: list[Slice], full_hours: float | None) -> None:
    found = judge(used, RULES, NOW)
    assert (found and found.full_hours) == (full_hours and pytest.approx(full_hours))


def test_since_when_is_said_however_long_that_is() -> None:
    found = judge(slices(1.0, 0, 0, 0, 0, 0, 0, 0, *STEADY, 0.0, *STEADY), RULES, NOW)
    assert found
    assert found.since == NOW - 49 * SLICE
    assert found.cpu_seconds == pytest.approx(48 * 0.99 * SLICE)


def test_nobody_is_found_where_nobody_is_looked_for() -> None:
    assert judge(slices(*STEADY), Mining(hours=0), NOW) is None


def guests(*rows: Iterable[float]) -> list[tuple[Slice, str]]:
    """Each row is one guest's."""
    return [(one, str(guest)) for guest, row in enumerate(rows) for one in slices(*row)]


@pytest.mark.parametrize(
    ("used", "found"),
    [
        (guests(*[[0.1] * 24] * 30), False),  # a class of thirty
        (guests([1.0, 0.5] * 12, [0.0, 0.5] * 12), True),  # one who takes turns with himself
        (guests([1.0] * 12 + [0.0] * 12, [0.0] * 12 + [1.0] * 12), True),
        (guests([0.24] * 24, [0.7] * 24), False),
    ],
)
def test_guests_from_one_address_count_together(
    used: list[tuple[Slice, str]], found: bool
) -> None:
    assert bool(judge(together(used), RULES, NOW)) == found


# --- What is kept ----------------------------------------------------------------


def test_time_is_added_up_by_slices_and_forgotten_when_it_is_written() -> None:
    ledger = Consumption(slice_seconds=10)

    def note(cpu_seconds: float, now: float, session: str = "s") -> None:
        ledger.note(session=session, account="a", cpu_seconds=cpu_seconds, now=now)

    note(1, 100)
    note(3, 109)
    note(2, 109.5)  # a process has ended: less is counted
    note(4, 111)
    first = ledger.news()
    assert first == [Line("s", "a", 100, 3), Line("s", "a", 110, 2)]
    note(5, 112)
    ledger.forget(first)
    assert ledger.news() == [Line("s", "a", 110, 3)]  # all of the slice, not what was added
    ledger.forget(ledger.news())
    assert ledger.news() == []
    note(6, 95)  # the clock was set back
    assert ledger.news() == [Line("s", "a", 90, 1)]
    ledger.note(session="evaluation", account="", cpu_seconds=9, now=100)
    ledger.leave("s")
    ledger.forget(ledger.news())
    assert ledger.news() == []


class Ledger:
    """What a sage server has noted, and how it gets into the database."""

    def __init__(self, database: Database) -> None:
        self.consumption = Consumption(slice_seconds=RULES.slice_seconds)
        self.bookkeeper = Bookkeeper(
            consumption=self.consumption, database=database, interval=3600, keep_days=1
        )

    def compute(self, account: str, hours: float, share: float = 1.0, network: str = "") -> None:
        """As if a session had been at it for so long until now."""
        session, now = str(uuid.uuid4()), datetime.now(UTC).timestamp()
        for minute in range(int(hours * 60)):
            self.consumption.note(
                session=session, account=account, cpu_seconds=60 * share * (minute + 1),
                now=now - (hours * 60 - minute) * 60, network=network,
            )  # fmt: skip


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database)


def person(database: Database, role: str, address: str = "") -> str:
    with database.transaction() as cursor:
        account = accounts.create(cursor, name=f"a {role}", role=role)
        accounts.admit(cursor, account, 1, Origin("test", address))
    return account


def found(database: Database, **rules: Any) -> list[mining.Suspect]:
    with database.reading() as cursor:
        return suspects(cursor, Mining(**rules))


def test_a_guest_who_computes_without_pause_is_a_suspect(
    database: Database, ledger: Ledger
) -> None:
    guest = person(database, "guest", "2001:db8::1")
    student = person(database, "guest", "192.0.2.1")
    member = person(database, "member")
    ledger.compute(guest, 3.5)
    ledger.compute(student, 3.5, share=0.3)
    ledger.compute(member, 3.5)
    ledger.compute(str(uuid.uuid4()), 3.5)  # whose account is deleted
    ledger.bookkeeper.write()
    [one] = found(database)
    assert (one.account, one.kind, one.network) == (guest, "guest", "2001:db8::/64")
    assert 3 <= one.full_hours <= 3.5
    assert one.cpu_seconds == pytest.approx(3.5 * 3600, abs=700)
    assert datetime.now(UTC) - one.since > timedelta(hours=3)
    assert one.worksheets == ()
    assert {one.account for one in found(database, kinds=("member", "guest"))} == {guest, member}


def test_what_is_written_twice_counts_once(database: Database, ledger: Ledger) -> None:
    guest = person(database, "guest")
    ledger.compute(guest, 1)
    lines = ledger.consumption.news()
    ledger.bookkeeper.write()
    again = Ledger(database)
    again.consumption.news = lambda: lines  # type: ignore[method-assign]
    again.bookkeeper.write()
    with database.reading() as cursor:
        cursor.execute("SELECT sum(cpu_seconds) FROM consumption")
        assert cursor.fetchone() == (pytest.approx(3600),)


def test_who_comes_back_as_another_guest_is_found_by_the_address(
    database: Database, ledger: Ledger
) -> None:
    for _ in range(7):
        guest = person(database, "guest", "192.0.2.7")
        ledger.compute(guest, 3.5, share=0.3)
    ledger.bookkeeper.write()
    with database.transaction() as cursor:
        people.delete(cursor, guest, actor="operator")
    [one] = found(database)
    assert (one.account, one.network) == ("", "192.0.2.7")


def test_strangers_of_one_address_count_as_one(database: Database, ledger: Ledger) -> None:
    """Each piece of code has a session of its own, and nobody an account."""
    for _ in range(12):
        ledger.compute("", 3.5, share=0.08, network="192.0.2.8")
    for number in range(12):
        ledger.compute("", 3.5, share=0.08, network=f"192.0.2.{100 + number}")
    ledger.bookkeeper.write()
    [one] = found(database)
    assert (one.account, one.kind, one.network) == ("", "anonymous", "192.0.2.8")
    guest = person(database, "guest", "192.0.2.8")
    ledger.compute(guest, 3.5, share=0.5)
    ledger.bookkeeper.write()
    [one] = found(database)
    assert (one.account, one.kind, one.network) == ("", "guest", "192.0.2.8")


def test_it_goes_with_the_account_and_with_time(database: Database, ledger: Ledger) -> None:
    guest, other = person(database, "guest", "192.0.2.1"), person(database, "member")
    ledger.compute(guest, 30)
    ledger.compute(other, 1)
    ledger.bookkeeper.write()
    ledger.bookkeeper.prune()
    with database.transaction() as cursor:
        cursor.execute(
            "SELECT count(*) FROM consumption WHERE since < now() - interval '1 day'"
        )
        assert cursor.fetchone() == (0,)
        people.delete(cursor, other, actor="operator")
        cursor.execute("SELECT DISTINCT account::text FROM consumption")
        assert cursor.fetchall() == [(guest,)]


def test_without_the_database_it_waits(database: Database, ledger: Ledger) -> None:
    guest = person(database, "guest")
    away = Database(
        url="postgresql:///x?host=/nowhere", connections=1, wait_seconds=1, statement_seconds=1
    )
    ledger.compute(guest, 1)
    broken = Bookkeeper(
        consumption=ledger.consumption, database=away, interval=1, keep_days=1
    )
    with pytest.raises(Unavailable):
        broken.write()
    ledger.bookkeeper.write()
    with database.reading() as cursor:
        cursor.execute("SELECT sum(cpu_seconds) FROM consumption")
        assert cursor.fetchone() == (pytest.approx(3600),)


# --- The status page, and a whole site -------------------------------------------


def test_the_page_says_who_since_when_and_how_much() -> None:
    worksheet = str(uuid.uuid4())
    suspect = {
        "account": str(uuid.uuid4()), "name": "<i>Guest</i>", "kind": "guest",
        "network": "192.0.2.1", "since": "2030-01-02T03:04:05+00:00", "full_hours": 3.5,
        "cpu_seconds": 12_700.0, "worksheets": [worksheet],
    }  # fmt: skip
    crowd = suspect | {"account": "", "name": "", "worksheets": []}
    strangers = crowd | {"kind": "anonymous", "network": "192.0.2.2"}
    page = client({**SNAPSHOT, "mining": [suspect, crowd, strangers]}).get(  # type: ignore[list-item]
        "/status", headers={"Accept": "text/html"}
    )
    for words in ("&lt;i&gt;Guest", "2030-01-02 03:04 UTC", "3 h 31 min", "Guests from 192.0.2.1",
                  "Strangers from 192.0.2.2, by /service",
                  f'action="/status/sessions/{worksheet}/end"'):  # fmt: skip
        assert words in page.text
    metrics = client({**SNAPSHOT, "mining": [suspect, crowd]}).get("/metrics")  # type: ignore[list-item]
    assert "salvus_mining_suspects 2.0" in metrics.text


@pytest.fixture(scope="module")
def wary() -> Iterator[RunningSite]:
    """A site on which seconds are enough."""
    host.needs_sage()
    with host.short_folder() as folder:
        running = supervised(
            folder,
            sage_sample_seconds="0.1",
            monitor_interval="0.5",
            mining_hours="0.002",
            mining_within_hours="0.05",
            mining_share="0.05",
            sign_in_guests="true",
            service_anonymous="true",
            app_silence="600",  # nobody reads what the sockets bring meanwhile
        )
        running.start()
        yield running
        running.stop()


def status(site: RunningSite, path: str = "/status") -> requests.Response:
    return requests.get(
        f"http://127.0.0.1:{site.port}{path}",
        headers={
            "Accept": "application/json",
            "Authorization": f"Bearer {site_token(site.data_dir)}",
        },
        timeout=PATIENCE,
    )


def end_suspect(context: BrowserContext, site: RunningSite, miner: Page) -> None:
    """As an administrator does who has read the status page."""
    tab = context.new_page()
    tab.goto(f"http://127.0.0.1:{site.port}/status")
    row = tab.get_by_role("table", name="Computing without pause").get_by_role("row").nth(1)
    expect(row).to_contain_text("guest 127.0.0.1")
    test_axe.check(tab)
    row.get_by_role("button", name=re.compile("^End the session")).click()
    state = miner.until(lambda m: m.HasField("state") and "administrator" in m.state.reason).state
    assert "without pause" in state.reason
    expect(row).to_contain_text("none now", timeout=typing.PATIENCE)


def test_a_guest_s_busy_loop_is_flagged_and_ended_from_the_status_page(
    wary: RunningSite, browser: Browser
) -> None:
    owner = SignedIn(wary.new_address())
    own, guest = Page(owner, owner.new_worksheet()), SignedIn(wary.address, guest=True)
    miner = Page(guest, guest.new_worksheet())
    for page in (own, miner):
        page.start("while True: pass")
    with gevent.Timeout(PATIENCE):
        while not (listed := status(wary).json().get("mining")):
            gevent.sleep(0.2)
    [one] = listed
    assert (one["kind"], one["network"], one["worksheets"]) == (
        "guest", "127.0.0.1", [miner.worksheet],
    )  # fmt: skip
    assert one["cpu_seconds"] > 1
    assert "salvus_mining_suspects 1.0" in status(wary, "/metrics").text
    assert any("computes without pause" in notice for notice in status(wary).json()["notices"])
    with typing.signed_in(browser, wary) as context:
        end_suspect(context, wary, miner)
    assert "ended a session of" in wary.run("audit")
    answer = owner.http.post(
        f"{owner.origin}/status/sessions/{own.worksheet}/end",
        headers={"Origin": owner.origin}, timeout=PATIENCE,
    )  # fmt: skip
    assert answer.status_code == 403  # one's own, from its own page
    own.close()
    miner.close()


CODE = "from time import process_time as t; e = t() + float(1)\nwhile t() < e: pass"


def used_by(wary: RunningSite, question: str) -> float:
    """Processor seconds, once there is nearly a second of them."""
    database = Database(
        url=database_url(settings.read(environment=wary.environment)), connections=1,
        wait_seconds=10, statement_seconds=10,
    )  # fmt: skip
    used = 0.0
    with gevent.Timeout(PATIENCE):
        while used < 0.9:
            with database.reading() as cursor:
                cursor.execute(f"SELECT coalesce(sum(cpu_seconds), 0) FROM {question}")
                (used,) = cursor.fetchone() or (0.0,)
            gevent.sleep(0.2)
    database.close()
    return used


def test_code_that_is_evaluated_once_counts_as_its_account_s(wary: RunningSite) -> None:
    guest = SignedIn(wary.address, guest=True)
    answer = guest.http.post(
        f"{guest.origin}/service", data={"code": CODE}, headers={"Origin": guest.origin},
        timeout=PATIENCE,
    )  # fmt: skip
    assert answer.json()["success"], answer.text
    used_by(wary, "consumption WHERE account::text NOT IN (SELECT account FROM sessions)")


def test_code_of_strangers_counts_as_their_address_s(wary: RunningSite) -> None:
    answer = requests.post(
        f"http://127.0.0.1:{wary.port}/service", data={"code": CODE}, timeout=PATIENCE
    )
    assert answer.json()["success"], answer.text
    used = used_by(wary, f"guest_consumption WHERE guest = '{STRANGERS}' AND network = '127.0.0.1'")
    tool = requests.post(
        f"http://127.0.0.1:{wary.port}/service", data={"code": f"{CODE}\n"}, timeout=PATIENCE,
        headers={"Authorization": f"Bearer {site_token(wary.data_dir)}"},
    )  # fmt: skip
    assert tool.json()["success"], tool.text
    gevent.sleep(3)  # the site's tools are no strangers
    assert used_by(wary, f"guest_consumption WHERE guest = '{STRANGERS}'") < used + 0.5


def test_who_leaves_as_a_guest_computes_no_more(wary: RunningSite) -> None:
    guest = SignedIn(wary.address, guest=True)
    page = Page(guest, guest.new_worksheet())
    page.start("while True: pass")
    with gevent.Timeout(PATIENCE):
        while page.worksheet not in wary.run("sessions", "--json"):
            gevent.sleep(0.2)
    guest.http.post(f"{guest.origin}/sign-out", headers={"Origin": guest.origin}, timeout=PATIENCE)
    with gevent.Timeout(PATIENCE):
        while page.worksheet in wary.run("sessions", "--json"):
            gevent.sleep(0.2)
