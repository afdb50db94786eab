"""Whether open pages may stay open: their sign-ins are looked at for as long as they live,
and whether a teacher who has entered a student's worksheet may be there still.

Who is signed out, disabled or given another role at the command line is noticed within an
interval; of what is done on a page every app server is told at once (`Delivery.hang_up_elsewhere`):
here `check` is called, elsewhere pages come back if they may.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import gevent
from psycopg2.extensions import cursor as Cursor

from app import accounts, permissions
from app.browsers import Browser, Browsers
from app.db import Database, Unavailable
from app.loop import Loop

log = logging.getLogger(__name__)
SIGNED_OUT, DISABLED = "signed out", "disabled: "  # static/js/worksheet.js knows them


class Standing(Loop):
    def __init__(self, *, database: Database, browsers: Browsers, interval: float) -> None:
        self._database = database
        self._browsers = browsers
        self._interval = interval

    def check(self) -> None:
        """Cut off the pages whose sign-in is over, or that show what they may not any more."""
        browsers = list(self._browsers)
        if not browsers:
            return
        try:
            with self._database.reading() as cursor:
                good = accounts.standing(cursor, {browser.sign_in for browser in browsers})
                over = [each for each in browsers if good.get(each.sign_in) != each.kind]
                disabled = accounts.disabled(cursor, {each.account for each in over})
                over += [each for each in browsers if each not in over and _strays(cursor, each)]
        except Unavailable:
            over, disabled = [browser for browser in browsers if _has_expired(browser)], {}
        for browser in over:
            because = disabled.get(browser.account)
            browser.dismiss(SIGNED_OUT if because is None else f"{DISABLED}{because}")

    def _run(self) -> None:
        while True:
            gevent.sleep(self._interval)
            try:
                self.check()
            except Exception:  # a mistake of ours must not leave pages open for ever
                log.exception("sign-ins of open pages could not be looked at; again later")


def _strays(cursor: Cursor, browser: Browser) -> bool:
    """Whether it shows somebody else's worksheet, and may not any more."""
    if browser.owns:
        return False
    return permissions.find(cursor, browser.account, browser.worksheet) is None


def _has_expired(browser: Browser) -> bool:
    return browser.expires is not None and browser.expires < datetime.now(UTC)
