"""The sage server: the pool behind mutual TLS, for the app servers of the site.

Each channel of a connection is one viewer; messages that can't be followed are refused on the
channel they came on, and the connection goes on.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable

import gevent

from app.listener import Listener
from app.sage.allowances import TooManyRuns
from app.sage.evaluation import Evaluator
from app.sage.places import Person
from app.sage.pool import Pool, PoolError
from app.sage.session import Session
from app.sage.updates import BadUpdate
from app.sage.viewer import Viewer
from app.settings import Settings
from app.token import Tokens
from app.wire.decoder import PROTOCOL_VERSION, Malformed
from app.wire.messages_pb2 import Draining, FileData, Gone, Hello, Message, Refused, TooMany
from app.wire.stream import Stream
from app.wire.tls import Context

UNPROVEN = (
    "the database is away, which knows who may see this session: it is shown when that is back"
)


class Unacceptable(Exception):
    """The caller's mistake; `about` is the run or request it made it in."""

    def __init__(self, reason: str, about: str = "") -> None:
        super().__init__(reason)
        self.about = about


class SageServer:
    def __init__(
        self, *, pool: Pool, settings: Settings, tokens: Tokens, context: Context
    ) -> None:
        self._pool = pool
        self._window = settings.wire.window
        self._evaluator = Evaluator(pool=pool, settings=settings.service)
        self._node = f"{settings.sage.host}:{settings.sage.port}"
        self._streams: set[Stream] = set()
        self._is_draining = False
        self._listener = Listener(
            host=settings.sage.host,
            port=settings.sage.port,
            tokens=tokens,
            context=context,
            wire=settings.wire,
            serve=self._serve,
        )

    def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        self._listener.start()

    def stop(self) -> None:
        self._listener.stop()

    def drain(self) -> None:
        """Tell all app servers that sessions shall begin elsewhere."""
        self._is_draining = True
        for stream in list(self._streams):
            gevent.spawn(_say_draining, stream)

    def _serve(self, stream: Stream, hello: Hello) -> None:
        ours = Hello(
            version=PROTOCOL_VERSION,
            node=self._node,
            role="sage",
            protections=self._pool.protections,
            language=self._pool.language,
        )
        stream.send(Message(hello=ours))
        self._streams.add(stream)
        try:
            if self._is_draining:
                _say_draining(stream)
            Connection(stream, self._pool, self._evaluator, self._window).serve()
        finally:
            self._streams.discard(stream)


class Connection:
    """One app server's stream and the viewers on its channels."""

    def __init__(
        self, stream: Stream, pool: Pool, evaluator: Evaluator, window: int
    ) -> None:
        self._stream = stream
        self._pool = pool
        self._evaluator = evaluator
        self._window = window
        self._viewers: dict[int, Viewer] = {}
        self._actions: dict[str, Callable[[Viewer, Message], None]] = {
            "ack": self._acknowledge,
            "active": self._touch,
            "end": self._end,
            "detach": self._detach,
            "execute": self._execute,
            "update": self._update,
            "complete": self._ask,
            "inspect": self._ask,
            "restart": self._restart,
            "cancel": self._cancel,
            "interrupt": self._interrupt,
            "input_reply": self._reply_input,
        }

    def serve(self) -> None:
        """Follow messages until the stream ends. Raises ProtocolError, OSError."""
        try:
            while True:
                try:
                    received = self._stream.receive()
                except Malformed as error:
                    self._stream.send(Message(refused=Refused(reason=str(error))))
                    continue
                if received is None:
                    return
                self._follow(received.message)
        finally:
            for channel in list(self._viewers):
                self._end_viewer(channel)

    def _follow(self, message: Message) -> None:
        try:
            self._act(message)
        except Unacceptable as error:
            self._refuse(message.channel, str(error), error.about)
        except TooManyRuns as error:
            refused = _too_many(error, message.execute.run)
            self._stream.send(Message(channel=message.channel, refused=refused))
        except PoolError as error:
            self._refuse(message.channel, str(error), message.execute.run)
        except OSError as error:
            if not message.HasField("execute"):
                raise
            reason = f"the run can't be kept: {error.strerror}"
            self._refuse(message.channel, reason, message.execute.run)

    def _refuse(self, channel: int, reason: str, about: str) -> None:
        self._stream.send(
            Message(channel=channel, refused=Refused(reason=reason, about=about))
        )

    def _act(self, message: Message) -> None:
        kind = message.WhichOneof("body") or ""
        if kind == "attach":
            self._attach(message)
            return
        if kind == "read_file":
            self._read_file(message)
            return
        if kind == "files_changed":
            self._pool.change_files(message.files_changed.worksheet)
            return
        if kind == "evaluate":
            gevent.spawn(self._evaluate, message)
            return
        viewer = self._viewers.get(message.channel)
        if viewer is None:
            raise Unacceptable(f"{kind} on a channel that watches no worksheet")
        if kind not in self._actions:
            raise Unacceptable(f"a sage server does not take {kind}")
        self._actions[kind](viewer, message)

    def _acknowledge(self, viewer: Viewer, message: Message) -> None:
        viewer.acknowledge(message.ack.session, message.ack.seq)

    def _detach(self, viewer: Viewer, message: Message) -> None:
        self._end_viewer(message.channel)

    def _execute(self, viewer: Viewer, message: Message) -> None:
        order = message.execute
        check_ids(order.run, order.run, order.cell)
        if "\0" in order.code:
            raise Unacceptable("code must not contain NUL characters", order.run)
        live = viewer.timeline.live
        if live is not None and live.knows(order.run):
            return  # sent again by a browser that could not know it had arrived
        self._pool.allowances.take_run(viewer.person)
        worksheet = viewer.timeline.worksheet
        self._pool.session(worksheet, viewer.person).execute(order, worksheet)

    def _update(self, viewer: Viewer, message: Message) -> None:
        order = message.update
        live = viewer.timeline.live
        if live is None:
            raise Unacceptable("the session has ended: run the cell again", order.interact)
        try:
            live.update(order)
        except BadUpdate as error:
            raise Unacceptable(str(error), order.interact) from None

    def _ask(self, viewer: Viewer, message: Message) -> None:
        worksheet = viewer.timeline.worksheet
        self._pool.ask(worksheet, viewer.person, message, viewer.reply)

    def _restart(self, viewer: Viewer, message: Message) -> None:
        self._pool.restart(viewer.timeline.worksheet, viewer.person)

    def _end(self, viewer: Viewer, message: Message) -> None:
        self._pool.end(viewer.timeline.worksheet, message.end.reason)

    def _touch(self, viewer: Viewer, message: Message) -> None:
        if viewer.timeline.live is not None:
            viewer.timeline.live.touch()

    def _cancel(self, viewer: Viewer, message: Message) -> None:
        _live(viewer).cancel(message.cancel.run)

    def _interrupt(self, viewer: Viewer, message: Message) -> None:
        _live(viewer).interrupt(message.interrupt.run)

    def _reply_input(self, viewer: Viewer, message: Message) -> None:
        _live(viewer).reply_input(message)

    def _attach(self, message: Message) -> None:
        order = message.attach
        check_ids("", order.worksheet)
        if message.channel in self._viewers:
            self._end_viewer(message.channel)
        timeline = self._pool.timeline(order.worksheet)
        if order.unproven and timeline.account not in ("", order.account):
            raise Unacceptable(UNPROVEN)
        timeline.has_files = timeline.has_files or order.has_files
        viewer = Viewer(
            channel=message.channel,
            stream=self._stream,
            timeline=timeline,
            window=self._window,
            person=Person(order.account, order.kind, order.address),
        )
        self._viewers[message.channel] = viewer
        if not order.session or order.complete or timeline.keeps(order.session):
            viewer.start(order.session, order.after)
        else:
            viewer.send(Message(gone=Gone()))

    def _evaluate(self, message: Message) -> None:
        """In a greenlet of its own: it takes as long as the code does."""
        try:
            answer = Message(evaluated=self._evaluator.evaluate(message.evaluate))
        except TooManyRuns as error:
            answer = Message(refused=_too_many(error, message.evaluate.request))
        except PoolError as error:
            refused = Refused(reason=str(error), about=message.evaluate.request)
            answer = Message(refused=refused)
        answer.channel = message.channel
        try:
            self._stream.send(answer)
        except OSError:
            pass  # whoever asked has gone

    def _read_file(self, message: Message) -> None:
        order = message.read_file
        answer = FileData(request=order.request)
        try:
            answer.data, answer.size = self._pool.read_file(
                order.worksheet, order.path, order.offset
            )
        except OSError as error:
            answer.failure = f"{order.path}: {error.strerror}"
        except PoolError as error:
            answer.failure = str(error)
        self._stream.send(Message(channel=message.channel, file_data=answer))

    def _end_viewer(self, channel: int) -> None:
        viewer = self._viewers.pop(channel)
        viewer.stop()
        self._pool.leave(viewer.timeline)


def _say_draining(stream: Stream) -> None:
    with contextlib.suppress(OSError):  # it has gone, or will hear at its return
        stream.send(Message(draining=Draining()))


def _too_many(error: TooManyRuns, about: str) -> Refused:
    """For programs, too, with the seconds until the next may begin."""
    too_many = TooMany(allowed=error.allowed, seconds=error.seconds, network=error.network)
    return Refused(reason=str(error), about=about, too_many=too_many)


def _live(viewer: Viewer) -> Session:
    if viewer.timeline.live is None:
        raise Unacceptable("this worksheet has no session")
    return viewer.timeline.live


def check_ids(about: str, *ids: str) -> None:
    """Raises Unacceptable if one is not a UUID as the database will want it."""
    for each in ids:
        try:
            uuid.UUID(each)
        except ValueError:
            raise Unacceptable(f"{each!r} is no UUID", about) from None
