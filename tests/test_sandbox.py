"""What the sandbox decides before it touches anything; what it does is in test_attacks.py."""

from __future__ import annotations

import pytest

from app.sage.sandbox import covered


@pytest.mark.parametrize(
    ("path", "is_covered"),
    [
        ("/tmp/salvus/.venv-sage", True),
        ("/var/tmp/sage", True),
        ("/home/user/salvus/.venv-sage", True),
        ("/home/user2/salvus/.venv-sage", False),
        ("/srv/salvus/.venv-sage", False),
        ("/tmpfs/sage", False),
    ],
)
def test_where_sage_can_not_be(path: str, is_covered: bool) -> None:
    assert bool(covered([path])) is is_covered
