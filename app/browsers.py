"""The browsers connected to this app server, each with a bounded outbox."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime

from gevent.event import Event

from app.wire.messages_pb2 import Message


class Browser:
    """One connected page. Anybody posts into its outbox, and `on_filled` has it emptied."""

    def __init__(
        self,
        *,
        account: str,
        kind: str,
        worksheet: str,
        outbox: int,
        sign_in: bytes = b"",
        expires: datetime | None = None,
        name: str = "",
        address: str = "",
    ) -> None:
        """`kind`: of user; `outbox`: bytes that may wait to be sent; `sign_in`: what lets it
        stay open, until it `expires`; `name`: the person's; `address`: as limits count by."""
        self.id = str(uuid.uuid4())
        self.account = account
        self.kind = kind
        self.name = name
        self.address = address
        self.worksheet = worksheet
        self.sign_in = sign_in
        self.expires = expires
        self.owns = True  # the worksheet is its person's, as far as is known
        self.dismissed = ""  # why it is to be cut off
        self._limit = outbox
        self._payloads: deque[bytes] = deque()
        self._size = 0
        self._filled = Event()
        self._emptied = Event()
        self.overflowed = False
        self.sent_away = False
        self.on_filled: Callable[[], None] = _nothing  # must not wait

    def send_away(self) -> None:
        """End its connection once it has what is in the outbox; it comes back, if it may."""
        self.sent_away = True
        self._tell()

    def post(self, payload: bytes) -> None:
        """Put an encoded message into the outbox, without waiting.

        What overflows it is dropped, and with it the connection: the page comes back and
        asks for what it lacks. Frames never overflow it, as the sage server sends only a
        window ahead of what the page has acknowledged.
        """
        if self._size > self._limit:
            self.overflowed = True
        else:
            self._payloads.append(payload)
            self._size += len(payload)
        self._tell()

    def post_message(self, message: Message) -> None:
        self.post(message.SerializeToString())

    def post_slowly(self, payload: bytes) -> None:
        """As `post`, but wait while the outbox is more than half full."""
        while self._size > self._limit // 2:
            self._emptied.clear()
            self._emptied.wait()
        self.post(payload)

    def dismiss(self, reason: str) -> None:
        """Have the connection end now."""
        self.dismissed = reason
        self._tell()

    def take(self, timeout: float) -> list[bytes]:
        """What is in the outbox, waiting for it at most `timeout` seconds."""
        if timeout and not self._payloads:
            self._filled.clear()
            self._filled.wait(timeout)
        payloads = list(self._payloads)
        self._payloads.clear()
        self._size = 0
        self._emptied.set()
        return payloads

    def _tell(self) -> None:
        self._filled.set()
        self.on_filled()


def _nothing() -> None:
    pass


class Browsers:
    def __init__(self) -> None:
        self._by_id: dict[str, Browser] = {}
        self._by_worksheet: dict[str, dict[str, Browser]] = {}
        self._by_account: dict[str, dict[str, Browser]] = {}

    def __iter__(self) -> Iterator[Browser]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, browser: Browser) -> None:
        self._by_id[browser.id] = browser
        self._by_worksheet.setdefault(browser.worksheet, {})[browser.id] = browser
        self._by_account.setdefault(browser.account, {})[browser.id] = browser

    def remove(self, browser: Browser) -> None:
        self._by_id.pop(browser.id, None)
        _take_out(self._by_worksheet, browser.worksheet, browser.id)
        _take_out(self._by_account, browser.account, browser.id)

    def find(self, id: str) -> Browser | None:
        return self._by_id.get(id)

    def watching(self, worksheet: str) -> list[Browser]:
        return list(self._by_worksheet.get(worksheet, {}).values())

    def of_account(self, account: str) -> list[Browser]:
        return list(self._by_account.get(account, {}).values())


def _take_out(index: dict[str, dict[str, Browser]], key: str, id: str) -> None:
    found = index.get(key, {})
    found.pop(id, None)
    if not found:
        index.pop(key, None)
