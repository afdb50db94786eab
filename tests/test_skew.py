"""By how much a host's clock differs from the database's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.skew import Skew


@pytest.mark.parametrize(
    ("found", "ahead"),
    [
        ([], 0),
        ([0.001, -1.9, 1.9], 0),  # no more than a question may take
        ([3600.0, 3601.5, 3598.5], 3600),
        ([-3600.0], -3600),
        ([3600.0, 0.5], 0),  # it was set right
        ([3600.0, 3603.0], 3603),
    ],
)
def test_it_changes_only_if_it_is_another(found: list[float], ahead: float) -> None:
    skew = Skew()
    for one in found:
        skew.note(one)
    assert skew.ahead == ahead
    assert skew.when(10_000) == datetime.fromtimestamp(10_000 - ahead, UTC)
    now = datetime.now(UTC)
    assert (now - skew.corrected(now)).total_seconds() == ahead
