"""Whose Dropbox is connected, and what was saved there.

What lets the site in is sealed with a key made of the app's secret, which is in the settings: a
copy of the database alone opens nobody's Dropbox. When the secret is changed, people connect again.
"""

from __future__ import annotations

import base64
import json
import logging
from dataclasses import asdict, dataclass
from datetime import datetime

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from psycopg2.extensions import cursor as Cursor

from app import dropbox
from app.dropbox import Dropbox, Entry, Person, Tokens, Trouble
from app.settings import Provider

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Connected:
    name: str
    email: str
    connected: datetime
    tokens: Tokens | None  # None: they can't be opened any more


@dataclass(frozen=True)
class Saved:
    """What the Dropbox has of a worksheet, or of a file in its folder."""

    wanted: str  # the path that was asked for, ...
    saved_as: str  # ... and the one that it got
    rev: str


class Seal:
    def __init__(self, secret: str) -> None:
        """`secret`: of the app at Dropbox."""
        derived = HKDF(SHA256(), length=32, salt=None, info=b"salvus: tokens of Dropbox")
        self._box = Fernet(base64.urlsafe_b64encode(derived.derive(secret.encode())))

    def close(self, tokens: Tokens) -> bytes:
        return self._box.encrypt(json.dumps(asdict(tokens)).encode())

    def open(self, sealed: bytes) -> Tokens | None:
        """None if they were sealed with another secret."""
        try:
            return Tokens(**json.loads(self._box.decrypt(sealed)))
        except InvalidToken:
            return None


def find(cursor: Cursor, account: str, seal: Seal) -> Connected | None:
    cursor.execute(
        "SELECT name, email, connected, tokens FROM dropbox_accounts WHERE account = %s",
        (account,),
    )
    row = cursor.fetchone()
    return Connected(row[0], row[1], row[2], seal.open(bytes(row[3]))) if row else None


def connect(cursor: Cursor, account: str, person: Person, tokens: Tokens, seal: Seal) -> None:
    """From now on that Dropbox is this account's; what was saved in another one is forgotten."""
    cursor.execute(
        "DELETE FROM dropbox_accounts WHERE account = %s AND subject <> %s", (account, person.id)
    )
    cursor.execute(
        "INSERT INTO dropbox_accounts (account, subject, name, email, tokens)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (account) DO UPDATE SET name = excluded.name,"
        " email = excluded.email, tokens = excluded.tokens, connected = now()",
        (account, person.id, person.name, person.email, seal.close(tokens)),
    )


def keep(cursor: Cursor, account: str, tokens: Tokens, seal: Seal) -> None:
    """They were renewed; not if the person has connected another Dropbox meanwhile."""
    now = find(cursor, account, seal)
    if now is not None and now.tokens is not None and now.tokens.refresh == tokens.refresh:
        cursor.execute(
            "UPDATE dropbox_accounts SET tokens = %s WHERE account = %s",
            (seal.close(tokens), account),
        )


def disconnect(cursor: Cursor, account: str) -> bool:
    """Whether it was connected."""
    cursor.execute("DELETE FROM dropbox_accounts WHERE account = %s", (account,))
    return bool(cursor.rowcount)


def held(cursor: Cursor, account: str, app: Provider | None) -> Tokens | None:
    """What lets the site in, to be given back (`give_back`) once it is forgotten here."""
    found = find(cursor, account, Seal(app.secret)) if app is not None else None
    return found.tokens if found is not None else None


def give_back(app: Provider, tokens: Tokens) -> bool:
    """Have Dropbox let nobody in by them any more; whether that is so. It may take a while."""
    box = Dropbox(
        id=app.id, secret=app.secret, hosts=dropbox.hosts(app.issuer), tokens=tokens,
        keep=lambda renewed: None,
    )  # fmt: skip
    try:
        box.revoke()
    except Trouble as trouble:
        if trouble.kind != "withdrawn":
            log.warning("a connection could not be revoked: %s", trouble)
            return False
    return True


def saved(cursor: Cursor, account: str, worksheet: str, path: str) -> Saved | None:
    cursor.execute(
        "SELECT wanted, saved_as, rev FROM dropbox_files"
        " WHERE account = %s AND worksheet = %s AND path = %s",
        (account, worksheet, path),
    )
    row = cursor.fetchone()
    return Saved(*row) if row else None


def note_saved(
    cursor: Cursor, account: str, worksheet: str, path: str, *, wanted: str, entry: Entry
) -> None:
    """Remember it, as long as the Dropbox is connected and the worksheet is there."""
    cursor.execute(
        "INSERT INTO dropbox_files (account, worksheet, path, wanted, saved_as, rev)"
        " SELECT dropbox_accounts.account, worksheets.id, %s, %s, %s, %s"
        " FROM dropbox_accounts, worksheets"
        " WHERE dropbox_accounts.account = %s AND worksheets.id = %s"
        " ON CONFLICT (account, worksheet, path) DO UPDATE"
        " SET wanted = excluded.wanted, saved_as = excluded.saved_as, rev = excluded.rev",
        (path, wanted, entry.path, entry.rev, account, worksheet),
    )
