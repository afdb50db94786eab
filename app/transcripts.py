"""Output as a document has it: of each cell what its latest run sent, to be kept or copied.

What is copied or imported is output of a session of its own, which is over.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from app.wire.decoder import parse
from app.wire.messages_pb2 import Finished, Frame, Message

BATCH = 64  # frames a statement stores
CUT = "copied while it ran"


@dataclass(frozen=True)
class Transcript:
    """What a run of `cell` sent, its Queued and Finished frames included."""

    cell: str
    code: str
    frames: tuple[Frame, ...]


def read(
    cursor: Cursor, worksheet: str, up_to: int = 0, before: datetime | None = None
) -> dict[str, Transcript]:
    """The output of a worksheet's cells, by cell. `up_to`: of what takes more bytes, none; 0: all.

    `before`: of runs that were begun by then, also of cells that were deleted since. What has been
    superseded within an interact, or is still to come, is not in it.
    """
    cursor.execute(
        """
        SELECT cell::text, code, array_agg(frame ORDER BY seq)
        FROM (SELECT DISTINCT ON (runs.cell) runs.id, runs.cell, runs.code
              FROM runs JOIN cells ON cells.id = runs.cell AND cells.worksheet = runs.worksheet
                    AND (NOT cells.deleted OR %(before)s::timestamptz IS NOT NULL)
              WHERE runs.worksheet = %(worksheet)s
                    AND (%(before)s::timestamptz IS NULL OR runs.queued <= %(before)s)
              ORDER BY runs.cell, runs.queued DESC, runs.id) AS latest
        JOIN outputs ON outputs.run = latest.id
        GROUP BY latest.id, cell, code
        HAVING %(up_to)s = 0 OR sum(length(frame)) <= %(up_to)s
        """,
        {"worksheet": worksheet, "up_to": up_to, "before": before},
    )
    return {
        cell: Transcript(cell, code, tuple(parse(bytes(each)).frame for each in frames))
        for cell, code, frames in cursor.fetchall()
    }


def renewed(
    transcript: Transcript, *, cell: str, worksheet: str, session: str, run: str, after: int
) -> list[Frame]:
    """Its frames as those of another run, of another cell; seqs follow `after`.

    Files are not among them, as they stay where the session was.
    """
    originals = [frame for frame in transcript.frames if not frame.HasField("files")]
    if not any(frame.HasField("finished") and not frame.update for frame in originals):
        cut = Finished(status=Finished.INTERRUPTED, reason=CUT)
        originals.append(Frame(finished=cut))
    frames = []
    for seq, frame in enumerate(originals, start=after + 1):
        copy = Frame()
        copy.CopyFrom(frame)
        copy.session, copy.run, copy.seq = session, run, seq
        if copy.HasField("queued"):
            copy.queued.cell, copy.queued.worksheet = cell, worksheet
        frames.append(copy)
    return frames


def write(
    cursor: Cursor,
    worksheet: str,
    account: str,
    transcripts: Iterable[Transcript],
    cells: Mapping[str, str],
    *,
    language: str,
    reason: str,
) -> None:
    """Store output for a worksheet's cells, as a session that is over because of `reason`.

    `cells`: the id of each cell here, by the one it has in its transcript.
    """
    session, after = str(uuid.uuid4()), 0
    for transcript in transcripts:
        if not after:
            cursor.execute(
                "INSERT INTO sessions (id, worksheet, server, language, started, ended, reason,"
                " account, kind) VALUES (%s, %s, '', %s, now(), now(), %s, %s, '')",
                (session, worksheet, language, reason, account),
            )
        run, cell = str(uuid.uuid4()), cells[transcript.cell]
        frames = renewed(
            transcript, cell=cell, worksheet=worksheet, session=session, run=run, after=after
        )
        after += len(frames)
        cursor.execute(
            "INSERT INTO runs (id, session, worksheet, cell, code, queued, started, finished)"
            " VALUES (%s, %s, %s, %s, %s, now(), now(), now())",
            (run, session, worksheet, cell, transcript.code),
        )
        execute_values(
            cursor,
            "INSERT INTO outputs (session, run, seq, frame, area, update, shows) VALUES %s",
            [_row(frame) for frame in frames],
            page_size=BATCH,
        )


def _row(frame: Frame) -> tuple[str, str, int, bytes, str | None, int, str | None]:
    shows = frame.interact.id if frame.HasField("interact") else None
    return (
        frame.session,
        frame.run,
        frame.seq,
        Message(frame=frame).SerializeToString(),
        frame.area or None,
        frame.update,
        shows,
    )
