"""A page without a browser: signs in over HTTP, speaks the protocol over a WebSocket."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import gevent
import requests
import websocket

from app.wire.messages_pb2 import (
    Ack,
    Attach,
    Execute,
    Finished,
    Frame,
    Hello,
    Interrupt,
    Message,
    SaveCell,
    State,
)

ACK_BYTES = 1 << 17
PATIENCE = 60.0  # seconds any wait here may take before the test fails


class SignedIn:
    """One browser's cookie."""

    def __init__(
        self, address: str, *, ca: Path | None = None, comes_from: str = "", guest: bool = False
    ) -> None:
        """`address`: with a one-time token; `ca`: who must have signed an https site's
        certificate; `comes_from`: where it is, as a proxy says; `guest`: it comes in as one."""
        parts = urlsplit(address)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.ca = ca
        self.http = requests.Session()
        self.http.trust_env = False  # a CA named in the environment would win over ours
        self.http.verify = str(ca) if ca else True
        self.headers = {"X-Forwarded-For": comes_from} if comes_from else {}
        self.http.headers.update(self.headers)
        # An idle one is closed after 2 s (gunicorn.conf.py), just when a request is on its way.
        self.http.headers["Connection"] = "close"
        if guest:
            form, headers = {"next": "/"}, {"Origin": self.origin}
            address = f"{self.origin}/sign-in/guest"
            response = self.http.post(address, data=form, headers=headers, timeout=PATIENCE)
        else:
            response = self.http.get(address, timeout=PATIENCE)
        response.raise_for_status()
        self.worksheet = urlsplit(response.url).path.rsplit("/", 1)[1]

    def new_worksheet(self) -> str:
        response = self.http.post(
            f"{self.origin}/worksheets",
            headers={"Origin": self.origin},
            timeout=PATIENCE,
            allow_redirects=False,
        )
        response.raise_for_status()
        return response.headers["Location"].rsplit("/", 1)[1]

    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())


class Page:
    """A page that has a worksheet open; keeps every message it gets."""

    def __init__(
        self, signed_in: SignedIn, worksheet: str, *, session: str = "", after: int = 0
    ) -> None:
        self.worksheet = worksheet
        self.messages: list[Message] = []
        self._unacknowledged = 0
        self.socket = websocket.create_connection(
            f"{signed_in.origin.replace('http', 'ws', 1)}/socket/{worksheet}",
            origin=signed_in.origin,
            cookie=signed_in.cookie(),
            header=signed_in.headers,
            timeout=PATIENCE,
            sslopt={"ca_certs": str(signed_in.ca)} if signed_in.ca else None,
        )
        self.send(hello=Hello(version=1, role="browser"))
        self.send(attach=Attach(worksheet=worksheet, session=session, after=after))

    def send(self, **body: object) -> None:
        self.socket.send_binary(Message(**body).SerializeToString())  # type: ignore[arg-type]

    def receive(self) -> Message:
        raw = self.socket.recv()
        if not isinstance(raw, bytes):
            raise websocket.WebSocketConnectionClosedException("the server said goodbye")
        message = Message.FromString(raw)
        self.messages.append(message)
        self._unacknowledged += len(raw)
        if message.HasField("frame") and self._unacknowledged >= ACK_BYTES:
            self._unacknowledged = 0
            self.send(ack=Ack(session=message.frame.session, seq=message.frame.seq))
        return message

    def until(self, wanted: Callable[[Message], bool]) -> Message:
        """The first message from now on that is `wanted`."""
        # Not the socket's own timeout: the server's pings would begin it anew.
        timeout = gevent.Timeout(PATIENCE)
        try:
            with timeout:
                while not wanted(message := self.receive()):
                    pass
                return message
        except gevent.Timeout as error:
            if error is not timeout:
                raise
            raise AssertionError(
                f"not within {PATIENCE:g} s; got {self.messages[-20:]}"
            ) from None

    def until_state(self, kind: State.Kind) -> State:
        return self.until(lambda m: m.HasField("state") and m.state.kind == kind).state

    def start(self, code: str, *, cell: str = "") -> str:
        """Queue a run and return its id."""
        run = str(uuid.uuid4())
        self.send(execute=Execute(run=run, cell=cell or str(uuid.uuid4()), code=code))
        return run

    def finish(self, run: str) -> Finished:
        """Wait for the end of a run."""
        return self.until(
            lambda m: m.frame.run == run and m.frame.HasField("finished")
        ).frame.finished

    def run(self, code: str, *, cell: str = "") -> Finished:
        return self.finish(self.start(code, cell=cell))

    def interrupt(self, run: str = "") -> None:
        self.send(interrupt=Interrupt(run=run))

    def save(self, cell: str, code: str, position: float = 1.0) -> None:
        self.send(save_cell=SaveCell(id=cell, position=position, code=code))

    def frames(self) -> Iterator[Frame]:
        for message in self.messages:
            if message.HasField("frame"):
                yield message.frame

    def printed(self, run: str = "") -> str:
        """All streamed text, of one run if it is named."""
        return "".join(
            frame.stream.text
            for frame in self.frames()
            if frame.HasField("stream") and run in ("", frame.run)
        )

    def shown(self, cell: str) -> str:
        """What a browser shows of a cell: the text of the latest run of it."""
        runs = [frame.run for frame in self.frames() if frame.queued.cell == cell]
        return self.printed(runs[-1]) if runs else ""

    def results(self) -> list[str]:
        """Results as plain text."""
        return [
            part.data.decode()
            for frame in self.frames()
            if frame.HasField("bundle")
            for part in frame.bundle.parts
            if part.type == "text/plain"
        ]

    def close(self) -> None:
        self.socket.close()
