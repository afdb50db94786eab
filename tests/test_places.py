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
