"""Whose Dropbox is asked, with what lets the site in, and what is said of trouble there."""

from __future__ import annotations

import flask

from app import dropbox, dropbox_accounts
from app.db import Database
from app.dropbox import Dropbox, Tokens, Trouble
from app.dropbox_accounts import Connected, Seal
from app.settings import Provider
from app.web.languages import _
from app.words import N_

ABSENT = N_("This site has no Dropbox: whoever runs it has to set one up first (docs/DROPBOX.md).")
WORDS = {
    "absent": N_("Connect your Dropbox first; “Account” leads there."),
    "unreachable": N_("Dropbox can't be reached now. Try again later."),
    "withdrawn": N_("Dropbox does not let this site in any more. Connect it again."),
    "scope": N_(
        "Dropbox did not give this site all the permissions that it needs. Connect it again; if"
        " that is of no use, whoever runs this site has to ask for them at Dropbox"
        " (docs/DROPBOX.md)."
    ),
    "full": N_("Your Dropbox is full. Make room there, then try again."),
    "missing": N_("There is no such thing in your Dropbox any more."),
    "name": N_("Dropbox does not take that name. Choose another one."),
    "conflict": N_("Something else has that name in your Dropbox. Choose another one."),
    "busy": N_("Dropbox asks us to wait. Try again in a minute."),
    "refused": N_("Dropbox refused it."),
}
STATUSES = {
    "unreachable": 502, "busy": 503, "missing": 404, "full": 409, "withdrawn": 409, "absent": 409,
}  # fmt: skip


class Connections:
    """`flask.g.account` is set before they are asked."""

    def __init__(self, *, app: Provider | None, database: Database) -> None:
        """`app`: the site's at Dropbox, if it has one."""
        self.app = app
        self.hosts = dropbox.hosts(app.issuer if app else "")
        self.seal = Seal(app.secret if app else "")
        self._database = database

    def check_there_is_one(self) -> Provider:
        if self.app is None:
            flask.abort(404, _(ABSENT))
        return self.app

    def connected(self) -> Connected | None:
        """That of who asks."""
        with self._database.reading() as cursor:
            return dropbox_accounts.find(cursor, flask.g.account, self.seal)

    def box(self) -> Dropbox:
        """That of who asks. Raises Trouble if there is none."""
        found = self.connected()
        if found is None or found.tokens is None:
            raise Trouble("absent" if found is None else "withdrawn")
        return self.of(found.tokens)

    def of(self, tokens: Tokens) -> Dropbox:
        app, account = self.check_there_is_one(), flask.g.account

        def keep(renewed: Tokens) -> None:
            with self._database.transaction() as cursor:
                dropbox_accounts.keep(cursor, account, renewed, self.seal)

        return Dropbox(id=app.id, secret=app.secret, hosts=self.hosts, tokens=tokens, keep=keep)


def words(trouble: Trouble) -> str:
    """It, and what helps, for the person."""
    return _(WORDS[trouble.kind])


def status(trouble: Trouble) -> int:
    return STATUSES.get(trouble.kind, 502)


def lets_in(trouble: Trouble) -> bool:
    """Whether it is no matter of being connected."""
    return trouble.kind not in ("absent", "withdrawn", "scope")
