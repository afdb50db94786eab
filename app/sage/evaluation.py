"""Stateless evaluation: code runs once, in a fresh session that ends with it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

from gevent.lock import BoundedSemaphore

from app.sage.places import Person
from app.sage.pool import Pool, PoolError
from app.sage.transcript import Transcript
from app.settings import Service
from app.wire.messages_pb2 import Bundle, Evaluate, Evaluated, Execute, Finished, Frame, Stream

PLAIN = "text/plain"
STYLES = re.compile(r"\x1b\[[0-9;]*m")


class Evaluator:
    def __init__(self, *, pool: Pool, settings: Service) -> None:
        self._pool = pool
        self._settings = settings
        self._line = BoundedSemaphore(settings.at_once)

    def evaluate(self, order: Evaluate) -> Evaluated:
        """Run it and say what came of it; waits its turn, but not for long.

        Raises PoolError, TooManyRuns.
        """
        person = Person(order.account, order.kind, order.address)
        self._pool.allowances.take_run(person)
        if not self._line.acquire(timeout=self._settings.wait_seconds):
            raise PoolError(
                f"{self._settings.at_once} evaluations are under way, as many as may be at a"
                " time; try again in a moment"
            )
        try:
            return self._run(order, person)
        finally:
            self._line.release()

    def _run(self, order: Evaluate, person: Person) -> Evaluated:
        session, transcript = self._pool.lend(person, order.seconds)
        try:
            run = Execute(run=str(uuid.uuid4()), cell=str(uuid.uuid4()), code=order.code)
            session.execute(run, "")
            transcript.finished.wait()
        finally:
            session.kill("it was needed once")
        return result_of(order.request, transcript)


def result_of(request: str, transcript: Transcript) -> Evaluated:
    """The frames of a run as one answer: results among what was printed, as in a terminal."""
    answer = Evaluated(request=request, language=transcript.opened.language)
    printed: dict[Stream.Name, list[str]] = {Stream.STDOUT: [], Stream.STDERR: []}
    for step in transcript.frames:
        for name, text in _texts(step):
            printed[name].append(text)
        if step.HasField("bundle") and step.bundle.result:
            answer.result.CopyFrom(step.bundle)
        elif step.HasField("traceback"):
            answer.traceback.CopyFrom(step.traceback)
            answer.traceback.text = STYLES.sub("", step.traceback.text)
        elif step.HasField("truncated"):
            answer.truncated = True
        elif step.HasField("finished"):
            answer.success = step.finished.status == Finished.OK
            answer.failure = step.finished.reason
    answer.stdout = "".join(printed[Stream.STDOUT])
    answer.stderr = "".join(printed[Stream.STDERR])
    return answer


def _texts(step: Frame) -> Iterator[tuple[Stream.Name, str]]:
    if step.HasField("stream"):
        yield step.stream.name, step.stream.text
    elif step.HasField("bundle"):
        yield Stream.STDOUT, _plain(step.bundle) + "\n"


def _plain(bundle: Bundle) -> str:
    return next((part.data.decode() for part in bundle.parts if part.type == PLAIN), "")
