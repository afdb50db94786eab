"""deliver(address, message): to whoever it is for, wherever they are connected.

Browsers of this app server are reached directly. At most once: a browser that is not
connected gets nothing, and asks for what it lacks when it comes back.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.browsers import Browser, Browsers
from app.nodes import Nodes
from app.wire.messages_pb2 import Message


@dataclass(frozen=True)
class ToBrowser:
    id: str


@dataclass(frozen=True)
class ToWorksheet:
    """Everybody who has the worksheet open, but for one."""

    id: str
    without: str = ""  # a browser


class Undeliverable(Exception):
    """Nobody is at that address."""


class Delivery:
    def __init__(self, *, browsers: Browsers, nodes: Nodes) -> None:
        self.browsers = browsers
        self.nodes = nodes

    def deliver(self, address: ToBrowser | ToWorksheet, message: Message) -> int:
        """How many it reached. Raises Undeliverable if it was for one who isn't there."""
        if isinstance(address, ToBrowser):
            browser = self.browsers.find(address.id)
            if browser is None:
                raise Undeliverable(f"browser {address.id} is not connected")
            reached: list[Browser] = [browser]
        else:
            watching = self.browsers.watching(address.id)
            reached = [browser for browser in watching if browser.id != address.without]
        payload = message.SerializeToString()
        for browser in reached:
            browser.post(payload)
        return len(reached)
