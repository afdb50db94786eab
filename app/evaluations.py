"""Code that is evaluated once, somewhere on the site; what anonymous people ask is remembered."""

from __future__ import annotations

import hashlib
import random
import uuid
from dataclasses import astuple

from app.cache import Cache
from app.inquiry import Inquiry, Refused, RefusedForNow
from app.nodes import Node, NodeDown, Nodes
from app.settings import Settings
from app.wire.decoder import parse
from app.wire.messages_pb2 import Evaluate, Evaluated, Message

LATE = 30.0  # seconds that an answer may take beyond the run: waiting, forking, stopping


class Busy(Exception):
    """It can't be evaluated now; the text says why."""


class TooOften(Exception):
    """Whoever asks has had as many runs as they may; the text says when the next may begin."""

    def __init__(self, reason: str, seconds: float) -> None:
        """`seconds`: until then."""
        super().__init__(reason)
        self.seconds = seconds


class Evaluations:
    def __init__(self, *, nodes: Nodes, cache: Cache, settings: Settings) -> None:
        self._nodes = nodes
        self._cache = cache
        self._settings = settings

    def evaluate(
        self, code: str, kind: str, *, remember: bool, account: str = "", address: str = ""
    ) -> Evaluated:
        """What comes of `code` under the limits of a kind of user. Raises Busy, TooOften.

        `remember`: the same code may get the same answer again, without being run. `account`,
        `address`: whose run it counts as.
        """
        asked = Evaluate(
            code=code,
            kind=kind,
            account=account,
            address=address,
            seconds=self._settings.service.seconds,
        )
        refusals = []
        for node in self._able():
            try:
                return self._evaluate_at(node, asked, remember=remember)
            except RefusedForNow as refusal:
                raise TooOften(str(refusal), refusal.seconds) from refusal
            except Refused as refusal:
                refusals.append(str(refusal))
            except NodeDown as error:
                raise Busy(str(error)) from error
        raise Busy("; ".join(dict.fromkeys(refusals)))

    def _evaluate_at(self, node: Node, order: Evaluate, *, remember: bool) -> Evaluated:
        key = self._key(order.code, order.kind, node.language)
        if remember and (known := self._cache.get(key)) is not None:
            return parse(known).evaluated
        order.request = str(uuid.uuid4())
        with Inquiry(node) as inquiry:
            answer = inquiry.ask(Message(evaluate=order), order.seconds + LATE)
        found = answer.evaluated
        if remember and not found.failure:
            lifetime = self._settings.service.remember_seconds
            self._cache.set(key, answer.SerializeToString(), lifetime)
        return found

    def _able(self) -> list[Node]:
        """The servers to ask, one after the other until one takes it; at least one."""
        able = self._nodes.able()
        if not able:
            in_use = [self._nodes.at(address) for address in self._nodes.addresses]
            failures = "; ".join(node.failure for node in in_use)
            raise Busy(f"no Sage server can be reached ({failures})")
        return random.sample(able, len(able))

    def _key(self, code: str, kind: str, language: str) -> str:
        limits = astuple(self._settings.limits_of(kind))
        said = repr((code, language, limits, self._settings.service.seconds))
        return f"evaluation/{hashlib.sha256(said.encode()).hexdigest()}"
