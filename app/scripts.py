"""Programs (.sage, .py) to manuscripts and back, in the percent format that editors know.

    # %% [markdown]
    # # A title
    # %%
    print(2 + 2)

A program without such lines is one cell. Output is not in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.manuscript import Manuscript, Part

MARK = re.compile(r"^# ?%%(?P<rest>.*)$")
KINDS = {"[markdown]": "markdown", "[md]": "markdown", "[raw]": "raw"}
NAMES = {"code": "# %%", "markdown": "# %% [markdown]", "raw": "# %% [raw]"}


def read(text: str, title: str) -> Manuscript:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return Manuscript(title, tuple(_parts(lines)))


def write(manuscript: Manuscript) -> str:
    return "\n\n".join(_written(part) for part in manuscript.parts) + "\n"


def _parts(lines: list[str]) -> Iterator[Part]:
    kind, held = "code", list[str]()
    for line in [*lines, "# %%"]:
        mark = MARK.match(line)
        if mark is None:
            held.append(line)
            continue
        code = "\n".join(held if kind == "code" else map(_uncommented, held)).strip("\n")
        if code.strip():
            yield Part(kind, code)
        words = mark["rest"].split()
        kind = next((KINDS[word] for word in words if word in KINDS), "code")
        held = []


def _written(part: Part) -> str:
    lines = part.code.split("\n")
    if part.kind != "code":
        lines = [f"# {line}".rstrip() for line in lines]
    return "\n".join([NAMES[part.kind], *lines])


def _uncommented(line: str) -> str:
    return re.sub(r"^# ?", "", line)
