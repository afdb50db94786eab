"""How often secrets that people choose or type were tried: by account and by address.

A try is counted before it is looked at, so that many at a time gain nothing, and forgotten
for the account when it was right.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from psycopg2.extensions import cursor as Cursor

WINDOW = 900  # seconds that a try counts


def network(address: str) -> str:
    """What counts as one address: of IPv6 the /64, which is one household's."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address  # of a unix socket
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def wait_seconds(cursor: Cursor, limits: Mapping[str, int]) -> float:
    """Count a try of each subject; seconds to wait if one has had as many as it may."""
    longest = 0.0
    for subject, limit in sorted(limits.items()):  # in one order: nobody waits in a circle
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"attempts {subject}",))
        cursor.execute(
            "SELECT count(*), extract(epoch FROM min(time) - now())::float + %s FROM"
            " (SELECT time FROM attempts WHERE subject = %s AND time > now()"
            "  - make_interval(secs => %s) ORDER BY time DESC LIMIT %s) AS latest",
            (WINDOW, subject, WINDOW, limit),
        )
        row = cursor.fetchone()
        if row and row[0] >= limit:
            longest = max(longest, row[1])
    if not longest:
        for subject in limits:
            cursor.execute("INSERT INTO attempts (subject) VALUES (%s)", (subject,))
        cursor.execute(
            "DELETE FROM attempts WHERE time < now() - make_interval(secs => %s)", (WINDOW,)
        )
    return longest


def forget(cursor: Cursor, subject: str) -> None:
    cursor.execute("DELETE FROM attempts WHERE subject = %s", (subject,))
