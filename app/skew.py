"""By how much this host's clock differs from the database's, which all hosts of a site go by.

Hosts' clocks may differ, and what they write down is ordered by time. A difference that is as
small as a question takes is none.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from psycopg2.extensions import cursor as Cursor

TOLERANCE = 2.0  # seconds
INTERVAL = 10.0  # seconds between questions


class Skew:
    def __init__(self) -> None:
        self.ahead = 0.0  # seconds
        self._asked = float("-inf")

    def look(self, cursor: Cursor) -> None:
        """Ask, if it is time. For the beginning of a transaction: the database's time is that."""
        now = time.monotonic()
        if now - self._asked < INTERVAL:
            return
        self._asked = now
        cursor.execute("SELECT extract(epoch FROM statement_timestamp())::float")
        (seconds,) = cursor.fetchone() or (time.time(),)
        self.note(time.time() - seconds)

    def note(self, ahead: float) -> None:
        """It was found to be so many seconds."""
        if abs(ahead - self.ahead) > TOLERANCE:
            self.ahead = ahead if abs(ahead) > TOLERANCE else 0.0

    def when(self, seconds: float) -> datetime:
        """The database's time at a time of this host (Unix seconds)."""
        return datetime.fromtimestamp(seconds - self.ahead, UTC)

    def corrected(self, moment: datetime) -> datetime:
        return self.when(moment.timestamp()) if self.ahead else moment
