"""The rounds: who lacks a copy in a class is given one, what is due is collected, and guests who
have left are deleted.

Every app server goes on them; the database sees to it that each thing is done once. What could
not be done in time, as the site was down, is done at the next start.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from gevent.event import Event
from psycopg2.errors import UndefinedTable

from app import collected, handouts, people
from app.db import Database, Unavailable
from app.delivery import Delivery, ToAccount
from app.handouts import Given
from app.loop import Loop
from app.wire.messages_pb2 import Message, Notice
from app.words import N_, Words

INTERVAL = 20.0  # seconds between rounds, if nothing is due earlier
AT_ONCE = 40  # copies
SOON = 0.05  # seconds at least, so that nothing can make it spin

HANDED_OUT = N_("%(class_title)s: “%(title)s” is handed out to you. It is among your worksheets.")

log = logging.getLogger(__name__)


class Rounds(Loop):
    def __init__(self, *, database: Database, delivery: Delivery, words: Words) -> None:
        self._database = database
        self._delivery = delivery
        self._words = words
        self._wanted = Event()

    def wake(self) -> None:
        """Something may be due sooner than it was."""
        self._wanted.set()

    def give_at_once(self) -> None:
        """Give what somebody waits for who sees a page; what is more, the rounds give."""
        try:
            self.give(most=AT_ONCE)
        except Unavailable as error:
            log.info("copies are given later: %s", error)
        self.wake()

    def give(self, most: float = math.inf) -> int:
        """Give everybody the copies they lack, or so many; how many. Raises Unavailable."""
        count = 0
        while count < most:
            with self._database.transaction() as cursor:
                given = handouts.give_next(cursor)
            if given is None:
                break
            count += 1
            self._tell(given)
        return count

    def collect(self) -> int:
        """Collect what is due; how many copies. Raises Unavailable."""
        count = 0
        while True:
            with self._database.transaction() as cursor:
                if not collected.collect_due(cursor):
                    break
            count += 1
        while True:
            with self._database.transaction() as cursor:
                finished = collected.finish_due(cursor)
            if finished is None:
                return count
            log.info("handout %s (%s) is collected", finished.id, finished.title)

    def forget_guests(self) -> int:
        """Delete guests who have left, with what they wrote; how many. Raises Unavailable."""
        count = 0
        while True:
            with self._database.transaction() as cursor:
                forgotten = people.forget_guests(cursor)
            if not forgotten:
                return count
            count += forgotten

    def _tell(self, given: Given) -> None:
        text = self._words.gettext(HANDED_OUT) % vars(given)
        notice = Notice(text=text, time=time.time())
        self._delivery.deliver(ToAccount(given.account), Message(notice=notice))

    def _run(self) -> None:
        while True:
            waits = [self._try(step) for step in (self._give, self._collect, self._forget)]
            self._wanted.wait(min(waits))
            self._wanted.clear()

    def _try(self, step: Callable[[], float]) -> float:
        """Take a step; seconds until the next one, at most."""
        try:
            return step()
        except (Unavailable, UndefinedTable) as error:  # it is away, or about to be migrated
            log.debug("classes and guests are looked at again later: %s", error)
        except Exception:  # what can't be given, collected or deleted must not end the rounds
            log.exception("a round failed; again later")
        return INTERVAL

    def _give(self) -> float:
        self.give()
        return INTERVAL

    def _forget(self) -> float:
        self.forget_guests()
        return INTERVAL

    def _collect(self) -> float:
        self.collect()
        with self._database.reading() as cursor:
            due = collected.seconds_to_next(cursor)
        return INTERVAL if due is None else max(SOON, due)
