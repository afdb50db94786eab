"""How evenly sessions are spread over sage servers, by loads that are a while old.

    python -m bench.placement
"""

from __future__ import annotations

import time
from collections import Counter

from app.balance import Load, best_sage_server

SERVERS, ROOM = 50, 400  # sessions that a server may have
BETWEEN_SAMPLES = 1000  # placements


def placed(count: int, *, servers: int = SERVERS, between: int = BETWEEN_SAMPLES) -> Counter[str]:
    """Sessions on each server after so many placements; none ends."""
    addresses = [f"10.0.0.{number}:8100" for number in range(servers)]
    found: Counter[str] = Counter(dict.fromkeys(addresses, 0))
    loads: dict[str, Load] = {}
    for number in range(count):
        if number % between == 0:
            loads = {each: Load(used, ROOM - used, 0.0) for each, used in found.items()}
        found[best_sage_server(f"worksheet {number}", addresses, loads)] += 1
    return found


def main() -> None:
    count = 10_000
    began = time.perf_counter()
    found = placed(count)
    seconds = time.perf_counter() - began
    even = count / SERVERS
    most, least = max(found.values()), min(found.values())
    print(f"{count} placements over {SERVERS} servers, {BETWEEN_SAMPLES} between two samples:")
    print(f"  {least} to {most} on a server; even is {even:.0f}")
    print(f"  {100 * (least / even - 1):+.1f} % to {100 * (most / even - 1):+.1f} %")
    print(f"  {1e6 * seconds / count:.0f} µs each")


if __name__ == "__main__":
    main()
