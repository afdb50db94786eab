"""What somebody types at a prompt: whether it is complete, and how its next line begins. Pure.

The rules are Python's own prompt's, on tokens rather than on syntax, so that they hold for
what Sage's preparser accepts, too: brackets, quotes and blocks must be closed, and a block of
several lines is closed by an empty one.
"""

from __future__ import annotations

import io
import re
import tokenize

INDENT = "    "
LEAVING = re.compile(r"\s*(exit|quit)\s*(\(\s*\))?\s*;?\s*")
OTHER_LANGUAGE = re.compile(r"\s*(%%\w.*|%\w+[ \t]*)\n")  # the first line of such a cell
LINE_OF_ITS_OWN = re.compile(r"\s*[!%?]|.*\?\s*$")  # shell, magic, help
LEAVES_BLOCK = re.compile(r"\s*(return|pass|break|continue|raise)\b")
SKIPPED = {tokenize.NL, tokenize.COMMENT, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
           tokenize.ENDMARKER}  # fmt: skip


def is_leaving(text: str) -> bool:
    """Whether it is what ends a session at other prompts."""
    return LEAVING.fullmatch(text) is not None


def is_complete(text: str) -> bool:
    """Whether there is nothing to wait for: it can be run, or is wrong already."""
    lines = text.split("\n")
    closed = len(lines) > 1 and not lines[-1].strip()
    if text.lstrip().startswith("%%") or OTHER_LANGUAGE.match(text):
        return closed
    if len(lines) == 1 and LINE_OF_ITS_OWN.match(text):
        return True
    last = next((line for line in reversed(lines) if line.strip()), "")
    if last.rstrip().endswith("\\") and not closed:
        return False
    try:
        tokens = [each for each in tokenize.generate_tokens(io.StringIO(text).readline)
                  if each.type not in SKIPPED]  # fmt: skip
    except tokenize.TokenError as error:
        return "EOF in multi-line" not in str(error) and "unterminated triple" not in str(error)
    except IndentationError:
        return True
    if not tokens:
        return True
    if last.lstrip().startswith("@") or tokens[-1].string == ":":
        return False
    return closed or not last[0].isspace()


def indentation(before: str) -> str:
    """What the line that follows `before` begins with."""
    last = before.rsplit("\n", 1)[-1]
    indent = last[: len(last) - len(last.lstrip())]
    if last.rstrip().endswith(":"):
        return indent + INDENT
    if LEAVES_BLOCK.match(last) and indent.endswith(INDENT):
        return indent[: -len(INDENT)]
    return indent
