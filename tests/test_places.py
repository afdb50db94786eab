"""The queue for sessions: who is served, who waits and why, as tables."""

from __future__ import annotations

from app.sage.places import Claim, Places


def claim(name: str, limit: int = 9) -> Claim:
    """A claim of session `name`; its first letter is the account."""
    return Claim(session=name, account=name[0], limit=limit)


def waiting(places: Places) -> list[str]:
    return [one.session for one in places.waiting]


def test_a_full_server_makes_people_wait_in_order() -> None:
    places = Places(here=2, total=0)
    assert [places.ask(claim(name)) for name in ("a1", "b1", "c1", "d1")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert waiting(places) == ["c1", "d1"]
    assert "this server has as many" in places.obstacle(claim("c1"))
    assert places.admit() == []
    places.leave("a1")
    assert [one.session for one in places.admit()] == ["c1"]
    assert waiting(places) == ["d1"]
    assert len(places) == 2


def test_who_has_too_many_holds_nobody_up() -> None:
    places = Places(here=3, total=0)
    assert places.ask(claim("a1", limit=1))
    assert not places.ask(claim("a2", limit=1))
    assert "you have as many sessions" in places.obstacle(claim("a2", limit=1))
    assert places.ask(claim("b1"))
    places.leave("b1")
    assert places.admit() == []
    places.leave("a1")
    assert [one.session for one in places.admit()] == ["a2"]


def test_who_restarts_comes_first() -> None:
    places = Places(here=1, total=0)
    places.ask(claim("a1"))
    places.ask(claim("b1"))
    places.ask(claim("a2"), first=True)
    assert waiting(places) == ["a2", "b1"]


def test_who_leaves_the_queue_lets_others_move_up() -> None:
    places = Places(here=1, total=0)
    for name in ("a1", "b1", "c1"):
        places.ask(claim(name))
    places.leave("b1")
    assert waiting(places) == ["c1"]


def test_sessions_of_other_servers_count() -> None:
    places = Places(here=10, total=3)
    places.tell_elsewhere({"a": 1, "b": 1})
    assert "you have as many sessions" in places.obstacle(claim("a1", limit=1))
    assert places.ask(claim("c1"))
    assert not places.ask(claim("c2"))
    assert "this site has as many" in places.obstacle(claim("c2"))
    places.tell_elsewhere({})
    assert [one.session for one in places.admit()] == ["c2"]


def test_many_accounts_of_one_address_have_no_more_than_it_may() -> None:
    places = Places(here=9, total=0)

    def guest(name: str, address: str = "10.0.0.1") -> Claim:
        return Claim(session=name, account=name, limit=1, address=address, address_limit=2)

    assert [places.ask(guest(name)) for name in ("a", "b", "c")] == [True, True, False]
    assert "all from your network together may have 2 sessions" in places.obstacle(guest("c"))
    assert places.ask(guest("d", "10.0.0.2"))
    assert places.ask(claim("member"))
    places.leave("a")
    assert [one.session for one in places.admit()] == ["c"]
    places.tell_elsewhere({}, {"10.0.0.2": 1})
    assert not places.ask(guest("e", "10.0.0.2"))


def test_who_waits_for_a_limit_that_is_raised_comes_in() -> None:
    places = Places(here=9, total=0)
    places.ask(claim("a1", limit=1))
    places.ask(claim("a2", limit=1))
    places.change_limit("a2", 2)
    assert [one.session for one in places.admit()] == ["a2"]
