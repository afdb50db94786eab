"""`POST /service`: one answer for one piece of code, for whoever may ask, as often as they may."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from app.web.service import Rate
from tests import host
from tests.page_client import PATIENCE, SignedIn
from tests.running_site import RunningSite, supervised

SISTER = "https://sister.example.org"


@pytest.fixture(scope="module")
def public() -> Iterator[RunningSite]:
    """A site that evaluates for everybody."""
    host.needs_sage()
    with host.short_folder() as folder:
        running = supervised(
            folder,
            service_anonymous="true",
            service_seconds="3",
            service_runs_per_minute="10000",
            service_origins=SISTER,
            sage_sample_seconds="0.1",
            limits_anonymous_memory="300000000",
            limits_anonymous_run_output="100000",
            limits_member_runs_per_hour="2",
        )
        running.start()
        yield running
        running.stop()


def ask(running: RunningSite, code: str, **options: Any) -> requests.Response:
    return requests.post(
        f"http://127.0.0.1:{running.port}/service",
        **({"data": {"code": code}} | options),
        timeout=PATIENCE,
    )


def evaluated(running: RunningSite, code: str) -> dict[str, Any]:
    answer = ask(running, code)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_what_is_printed_and_the_last_value_come(public: RunningSite) -> None:
    found = evaluated(public, "print('one')\nimport sys; sys.stderr.write('two\\n')\n2^100")
    assert found["success"] is True
    assert found["stdout"] == "one\n1267650600228229401496703205376\n"
    assert found["stderr"] == "two\n"
    reply = found["execute_reply"]
    assert reply["status"] == "ok"
    assert reply["result"]["text/plain"] == "1267650600228229401496703205376"
    assert "text/latex" in reply["result"]
    assert found["language"].startswith("SageMath")


def test_json_is_understood_too(public: RunningSite) -> None:
    assert ask(public, "", data=None, json={"code": "6*7"}).json()["stdout"] == "42\n"


def test_errors_come_with_their_traceback(public: RunningSite) -> None:
    found = evaluated(public, "print('before'); 1/0")
    assert found["success"] is False
    assert found["stdout"] == "before\n"
    reply = found["execute_reply"]
    assert (reply["status"], reply["ename"]) == ("error", "ZeroDivisionError")
    assert "\x1b" not in "".join(reply["traceback"])


def test_nothing_is_kept_between_two(public: RunningSite) -> None:
    assert evaluated(public, "secret = 7; open('f', 'w').write('x')")["success"]
    assert evaluated(public, "print(secret)")["execute_reply"]["ename"] == "NameError"
    assert evaluated(public, "open('f')")["execute_reply"]["ename"] == "FileNotFoundError"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("while True: pass", "limit of a run's time: used 3."),
        ("import os; os._exit(3)", "exit code 3"),
        ("import os, time\nfor i in range(4):\n  if os.fork() == 0: b = bytearray(int(150*10^6));"
         " time.sleep(float(60))\ntime.sleep(float(60))", "limit of memory: used"),
    ],
)  # fmt: skip
def test_limits_are_told(public: RunningSite, code: str, reason: str) -> None:
    found = evaluated(public, code)
    assert found["success"] is False
    assert reason in found["execute_reply"]["reason"]


def test_output_is_cut_visibly(public: RunningSite) -> None:
    found = evaluated(public, "for i in range(1000): print('x' * 1000)")
    assert len(found["stdout"]) <= 100_000
    assert found["execute_reply"]["truncated"] is True


def test_what_everybody_asks_is_remembered_but_not_what_failed(public: RunningSite) -> None:
    code = "from random import random as r; print(r())"
    assert evaluated(public, code)["stdout"] == evaluated(public, code)["stdout"]
    person = SignedIn(public.new_address())
    address = f"{person.origin}/service"
    mine = [
        person.http.post(
            address, data={"code": code}, headers={"Origin": person.origin}, timeout=PATIENCE
        ).json()["stdout"]
        for _ in range(2)
    ]
    assert mine[0] != mine[1]


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": {}}, 400),
        ({"data": {"code": " "}}, 400),
        ({"data": None, "json": ["code"]}, 400),
        ({"data": None, "json": {"code": 7}}, 400),
        ({"data": "{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": {"code": "1" * 65_001}}, 413),
    ],
)
def test_bad_requests_are_told_so(
    public: RunningSite, options: dict[str, Any], status: int
) -> None:
    answer = ask(public, "", **options)
    assert answer.status_code == status
    assert answer.json()["success"] is False


def test_a_page_of_another_site_can_not_use_somebody_s_cookie(public: RunningSite) -> None:
    person = SignedIn(public.new_address())
    answer = person.http.post(
        f"{person.origin}/service",
        data={"code": "1"},
        headers={"Origin": "https://evil.example.org"},
        timeout=PATIENCE,
    )
    assert answer.status_code == 403


def test_named_sites_may_read_the_answer(public: RunningSite) -> None:
    shared = ask(public, "1", headers={"Origin": SISTER}).headers
    assert shared["Access-Control-Allow-Origin"] == SISTER
    other = ask(public, "1", headers={"Origin": "https://evil.example.org"}).headers
    assert "Access-Control-Allow-Origin" not in other


def test_many_at_once_are_each_right(public: RunningSite) -> None:
    def one(number: int) -> bool:
        return bool(evaluated(public, f"print({number}^2)")["stdout"] == f"{number**2}\n")

    with ThreadPoolExecutor(20) as threads:
        assert all(threads.map(one, range(60)))


def test_strangers_are_turned_away_unless_the_operator_wants_them(site: RunningSite) -> None:
    answer = ask(site, "1")
    assert answer.status_code == 403
    assert "[service] anonymous" in answer.json()["error"]
    token = next(site.data_dir.rglob("token")).read_text().strip()
    tool = ask(site, "6*7", headers={"Authorization": f"Bearer {token}"})
    assert tool.json()["stdout"] == "42\n"


def test_who_has_used_up_an_hour_is_told_when_to_come_back(public: RunningSite) -> None:
    """By status and header, too, as programs read them."""
    member = SignedIn(public.new_person("Emmy"))

    def answer() -> requests.Response:
        return member.http.post(
            f"{member.origin}/service", data={"code": "6*7"}, headers={"Origin": member.origin},
            timeout=PATIENCE,
        )  # fmt: skip

    assert [answer().status_code for _ in range(2)] == [200, 200]
    refused = answer()
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert refused.json()["error"].startswith("you may run 2 cells an hour; the next at ")


def test_a_rate_is_kept_for_each_address() -> None:
    rate = Rate(per_minute=6)
    assert [rate.wait_seconds("a", 0.0) for _ in range(6)] == [0.0] * 6
    assert rate.wait_seconds("a", 0.0) == pytest.approx(10)
    assert rate.wait_seconds("b", 0.0) == 0
    assert rate.wait_seconds("a", 5.0) == pytest.approx(5)
    assert rate.wait_seconds("a", 10.1) == 0
    assert rate.wait_seconds("a", 10.1) > 9
