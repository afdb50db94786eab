"""Manuscripts as one HTML file, with everything in it and without a program.

Output is what a session sent, so whatever it may be: its HTML is in frames that may do nothing,
and the file itself forbids to run and to load anything.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from app import prose
from app.formulas import typeset_dollars, typeset_in
from app.manuscript import Manuscript, Part
from app.wire.messages_pb2 import Bundle, Frame

ANSI = re.compile(r"\x1b\[[0-9;]*m")
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-src 'self'"
OUTPUT = "Output"  # what a picture or a frame is called that says nothing of itself
IMAGES = ("image/svg+xml", "image/png", "image/jpeg", "image/gif", "image/webp")
STYLE = """\
:root { color-scheme: light dark }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif }
pre { margin: .5rem 0; padding: .5rem .75rem; overflow-x: auto; font: .9rem/1.5 monospace }
pre.code { border: 1px solid #8884; border-radius: .5rem }
pre.error { color: #b3261e }
@media screen and (prefers-color-scheme: dark) {
  html { background: #141816; color: #e2e7e3 }
  pre.error { color: #f2938c }
  a { color: #8cc7a4 }
}
img { max-width: 100%; background: #fff }
iframe { width: 100%; height: 16rem; border: 1px solid #8884; resize: vertical; background: #fff }
math[display=block] { overflow-x: auto }
table { border-collapse: collapse } td, th { padding: .2rem .6rem; border: 1px solid #8884 }
@media print { pre { white-space: pre-wrap } }
"""


def write(
    manuscript: Manuscript, *, foot: str = "", language: str = "en", output: str = OUTPUT
) -> str:
    """`foot`: HTML of ours at the end, and `output` what pictures and frames are called, in
    `language`."""
    title = html.escape(manuscript.title)
    style = STYLE + CODE_STYLE
    body = "\n".join(block for part in manuscript.parts for block in _blocks(part, output))
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{title}</h1>\n{body}\n</main>\n{foot}\n</body>\n</html>\n"
    )


def cell(part: Part, *, output: str = OUTPUT) -> str:
    """A cell with its output as HTML, for a page with CODE_STYLE."""
    return "\n".join(_blocks(part, output))


def _blocks(part: Part, output: str) -> Iterator[str]:
    if part.kind == "markdown":
        yield prose.rendered(part.code)
    elif part.kind == "raw":
        yield _pre(part.code)
    elif part.code.strip() and not part.folded:
        yield f'<pre class="code">{highlight(part.code, _LEXER, _FORMATTER)}</pre>'
    name = html.escape(output)
    frames = (frame for frame in part.frames if not frame.area and not frame.update)
    shown = [block for frame in frames for block in _shown(frame, name)]
    if shown and part.output_folded:
        shown = [f"<details><summary>{name}</summary>", *shown, "</details>"]
    yield from shown


def _shown(frame: Frame, output: str) -> Iterator[str]:
    if frame.HasField("stream"):
        yield _pre(frame.stream.text)
    elif frame.HasField("traceback"):
        yield _pre(frame.traceback.short or frame.traceback.text, "error")
    elif frame.HasField("bundle"):
        yield _bundle(frame.bundle, output)


def _bundle(bundle: Bundle, output: str) -> str:
    """The richest of its forms that a file can show."""
    forms = {part.type: part.data for part in bundle.parts}
    for kind in IMAGES:
        if kind in forms:
            data = base64.b64encode(forms[kind]).decode("ascii")
            return f'<p><img alt="{output}" src="data:{kind};base64,{data}"></p>'
    text = {kind: data.decode("utf-8", "replace") for kind, data in forms.items()}
    if "text/markdown" in text:
        return prose.rendered(text["text/markdown"])
    if "text/latex" in text:
        return f"<p>{typeset_dollars(text['text/latex'])}</p>"
    if "text/html" in text:
        document = html.escape(typeset_in(text["text/html"]))
        return f'<iframe sandbox title="{output}" srcdoc="{document}"></iframe>'
    return _pre(text.get("text/plain", ""))


def _pre(text: str, style: str = "") -> str:
    found = f' class="{style}"' if style else ""
    return f"<pre{found}>{html.escape(ANSI.sub('', text))}</pre>"


_LEXER, _FORMATTER = PythonLexer(), HtmlFormatter(nowrap=True)
_LIGHT = str(HtmlFormatter(style="xcode").get_style_defs("pre.code"))
_DARK = str(HtmlFormatter(style="github-dark").get_style_defs("pre.code"))
CODE_STYLE = f"{_LIGHT}@media screen and (prefers-color-scheme: dark) {{\n{_DARK}\n}}\n"
