"""Worksheets in and out: notebooks and programs, also hostile ones."""

from __future__ import annotations

import base64
import html
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
import requests
from playwright.sync_api import Page as Tab

from app import exchange, formulas, markdown, notebooks, prose, sagews, scripts, standalone
from app.accounts import owner
from app.db import Database
from app.manuscript import Manuscript, NoManuscript, Part
from app.settings import ROOT
from app.wire.messages_pb2 import Bundle, Clear, Finished, Frame, Stream, Traceback
from tests import host
from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite

PNG = "iVBORw0KGgo=\n"
NOTEBOOK: dict[str, Any] = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python", "version": "3.11"},
        "authors": [{"name": "Emmy Noether"}],
    },
    "cells": [
        {
            "cell_type": "markdown",
            "id": "intro",
            "metadata": {"tags": ["keep"]},
            "source": "# Rings\n![x](attachment:x.png)",
            "attachments": {"x.png": {"image/png": PNG}},
        },
        {
            "cell_type": "code",
            "id": "plots",
            "metadata": {"jupyter": {"source_hidden": True}, "unknown": {"a": [1, None]}},
            "source": "x = 'é😀'\nx",
            "execution_count": 7,
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": "one\ntwo\n"},
                {"output_type": "stream", "name": "stderr", "text": "careful\n"},
                {
                    "output_type": "display_data",
                    "data": {"image/png": PNG, "text/plain": "<Figure>"},
                    "metadata": {"image/png": {"width": 10}},
                },
                {
                    "output_type": "execute_result",
                    "data": {"text/html": "<b>x</b>", "application/json": {"a": 1}},
                    "metadata": {},
                    "execution_count": 7,
                },
            ],
        },
        {
            "cell_type": "code",
            "id": "bad",
            "metadata": {},
            "source": "1/0",
            "execution_count": 8,
            "outputs": [
                {
                    "output_type": "error",
                    "ename": "ZeroDivisionError",
                    "evalue": "division by zero",
                    "traceback": ["\u001b[31mZero\u001b[0m", "", "more"],
                }
            ],
        },
        {"cell_type": "raw", "id": "raw", "metadata": {"format": "text/latex"}, "source": "$x$"},
    ],
}


def test_a_notebook_comes_back_as_it_was() -> None:
    written = json.loads(notebooks.write(notebooks.read(json.dumps(NOTEBOOK), "Rings")))
    assert written["metadata"].pop("salvus") == {"title": "Rings"}
    assert written == NOTEBOOK


def test_odd_metadata_is_in_nobody_s_way() -> None:
    odd: dict[str, Any] = {
        "nbformat": 4, "nbformat_minor": 5,
        "metadata": {"salvus": "mine", "authors": "one", "title": 5, "a": [1]},
        "cells": [
            {
                "cell_type": "code", "id": "a", "source": "x", "execution_count": None,
                "metadata": {"salvus": [1], "jupyter": 7, "collapsed": "maybe", "tags": ["t"]},
                "outputs": [],
            },
            {"cell_type": "markdown", "id": "a", "source": "y", "metadata": {"salvus": None}},
        ],
    }  # fmt: skip
    read = notebooks.read(json.dumps(odd), "Odd")
    assert [(part.code, part.folded, part.auto) for part in read.parts] == [
        ("x", False, False), ("y", False, False),
    ]  # fmt: skip
    assert read.title == "Odd"
    written = json.loads(notebooks.write(read))
    assert written["metadata"]["a"] == [1]
    first, second = written["cells"]
    # What the format forbids is left out, all else stays
    assert first["metadata"] == {"salvus": [1], "tags": ["t"]}
    assert second["metadata"] == {"salvus": None}
    assert first["id"] != second["id"]


@pytest.mark.parametrize(
    ("said", "folded"),
    [
        ({}, False),
        ({"collapsed": False}, False),
        ({"collapsed": True}, True),
        ({"jupyter": {"outputs_hidden": True}}, True),
        ({"collapsed": True, "jupyter": {"outputs_hidden": True}}, True),
    ],
)
def test_folded_output_is_folded_again(said: dict[str, object], folded: bool) -> None:
    cell: dict[str, Any] = {
        "cell_type": "code", "id": "a", "source": "x", "metadata": said, "outputs": [],
        "execution_count": None,
    }  # fmt: skip
    (part,) = notebooks.read(json.dumps({**NOTEBOOK, "cells": [cell]}), "").parts
    assert part.output_folded == folded
    for now in (folded, not folded):
        again = Manuscript("", (replace(part, output_folded=now),))
        written = json.loads(notebooks.write(again))
        metadata = written["cells"][0]["metadata"]
        assert metadata == said or now != folded
        (read,) = notebooks.read(json.dumps(written), "").parts
        assert read.output_folded == now


def test_a_web_page_has_folded_output_to_unfold() -> None:
    part = Part("code", "1", (Frame(stream=Stream(text="long")),), output_folded=True)
    shown = "<details><summary>Output</summary>\n<pre>long</pre>\n</details>"
    assert shown in standalone.write(Manuscript("", (part,)))
    assert "<details>" not in standalone.write(Manuscript("", (replace(part, frames=()),)))


def test_what_was_run_again_has_the_new_output(database: Database) -> None:
    manuscript = notebooks.read(json.dumps(NOTEBOOK), "Rings")
    part = manuscript.parts[1]
    frames = (
        Frame(stream=Stream(text="gone")),
        Frame(clear=Clear(wait=True)),
        Frame(stream=Stream(text="a")),
        Frame(stream=Stream(text="b\n")),
        Frame(area="of an interact", stream=Stream(text="not this")),
        Frame(bundle=Bundle(parts=[Bundle.Part(type="text/plain", data=b"3")], result=True)),
        Frame(traceback=Traceback(name="E", value="v", text="t")),
        Frame(finished=Finished(status=Finished.ERROR)),
    )
    again = Part(part.kind, part.code, frames, metadata=part.metadata)
    written = json.loads(notebooks.write(Manuscript("Rings", (again,))))
    nbformat.validate(written)
    (cell,) = written["cells"]
    assert [one["output_type"] for one in cell["outputs"]] == ["stream", "execute_result", "error"]
    assert cell["outputs"][0]["text"] == "ab\n"
    assert cell["execution_count"] is None


def test_a_notebook_goes_through_the_database(database: Database) -> None:
    manuscript = notebooks.read(json.dumps(NOTEBOOK), "Rings")
    with database.transaction() as cursor:
        made = exchange.bring_in(cursor, owner(cursor), manuscript)
        found = exchange.export(cursor, made, "Rings")
    written = json.loads(notebooks.write(found))
    written["metadata"].pop("salvus")
    assert written == NOTEBOOK


def test_notebooks_that_people_have_written_come_back() -> None:
    """Those that come with GAP's packages, and so with Sage."""
    found = sorted((ROOT / ".venv-sage").glob("lib/python*/site-packages/gap/pkg/**/*.ipynb"))
    if not found:
        host.missing("Sage (.venv-sage)")
    for file in found:
        text = file.read_text(encoding="utf-8")
        original = json.loads(json.dumps(nbformat.reads(text, as_version=4)))  # type: ignore[no-untyped-call]
        written = json.loads(notebooks.write(notebooks.read(text, file.stem)))
        assert [kept(cell) for cell in written["cells"]] == [kept(c) for c in original["cells"]]
        assert original["metadata"].items() <= {**written["metadata"]}.items()
    assert len(found) > 5


def kept(cell: dict[str, Any]) -> dict[str, Any]:
    """Without ids, which older formats do not have."""
    return {name: value for name, value in cell.items() if name != "id"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "no notebook"),
        ("{}", "no notebook"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "no notebook"),
        ('{"nbformat": 99, "metadata": {}, "cells": []}', "no notebook"),
        (json.dumps({**NOTEBOOK, "cells": [{"cell_type": "code"}]}), "no notebook"),
        ("[" * 100_000, "no notebook"),
    ],
)
def test_what_is_no_notebook_is_refused(text: str, words: str) -> None:
    with pytest.raises(NoManuscript, match=words):
        notebooks.read(text, "")


def test_notebooks_of_older_versions_are_read() -> None:
    old = {
        "nbformat": 3, "nbformat_minor": 0, "metadata": {"name": "old"},
        "worksheets": [{"metadata": {}, "cells": [
            {"cell_type": "heading", "level": 1, "metadata": {}, "source": ["Old"]},
            {"cell_type": "code", "language": "python", "metadata": {}, "collapsed": False,
             "input": ["1+1"], "prompt_number": 1, "outputs": [
                 {"output_type": "pyout", "prompt_number": 1, "text": ["2"], "metadata": {}}]},
        ]}],
    }  # fmt: skip
    parts = notebooks.read(json.dumps(old), "old").parts
    assert [(part.kind, part.code) for part in parts] == [("markdown", "# Old"), ("code", "1+1")]
    assert parts[1].frames[0].bundle.parts[0].data == b"2"


SCRIPT = """\
# %%
a = 1
b = 2

# %% [markdown]
# # Title
#
# text

# %%
print(a)  # %% is no mark here
"""


def test_programs_come_back_as_they_were() -> None:
    manuscript = scripts.read(SCRIPT, "x")
    assert [(part.kind, part.code) for part in manuscript.parts] == [
        ("code", "a = 1\nb = 2"),
        ("markdown", "# Title\n\ntext"),
        ("code", "print(a)  # %% is no mark here"),
    ]
    assert scripts.write(manuscript) == SCRIPT


@pytest.mark.parametrize(
    ("text", "codes"),
    [("", []), ("x = 1\r\ny", ["x = 1\ny"]), ("#%% one\na\n#%%\n\n#%%\nb", ["a", "b"])],
)
def test_any_program_is_read(text: str, codes: list[str]) -> None:
    assert [part.code for part in scripts.read(text, "").parts] == codes


ID = "5f6d0c4e-6a0b-4b1c-9a55-0d9d0f3c2a11"
SAGEWS = (
    f"\ufe20{ID}as\ufe20\n2 + 2\n\ufe21{ID}\ufe21"
    '{"stdout":"4\\n"}\ufe21{"html":"<b>x</b>"}\ufe21{"tex":{"tex":"x^2","display":true}}\ufe21'
    '{"done":true}\ufe21\n'
    f"\ufe20{ID}i\ufe20\n%md\n# Title\n$x$\n\ufe21{ID}\ufe21" + '{"md":"# Title"}\ufe21\n'
    f"\ufe20{ID}o\ufe20\n1/0\n\ufe21{ID}\ufe21" + '{"stderr":"Zero"}\ufe21not JSON\ufe21[1]\ufe21\n'
    f"\ufe20{ID}\ufe20\n"
)


def test_a_sagemath_worksheet_is_read() -> None:
    first, text, bad = sagews.read(SAGEWS, "x").parts
    assert (first.code, first.auto, first.folded) == ("2 + 2", True, False)
    assert (first.output_folded, bad.output_folded) == (False, True)
    assert first.frames[0].stream.text == "4\n"
    shown = [frame.bundle.parts[0] for frame in first.frames[1:]]
    assert [(part.type, part.data) for part in shown] == [
        ("text/html", b"<b>x</b>"),
        ("text/latex", b"$$x^2$$"),
    ]
    assert (text.kind, text.code) == ("markdown", "# Title\n$x$")
    assert [frame.stream.name for frame in bad.frames] == [Stream.STDERR]
    assert sagews.read("", "x").parts == ()
    with pytest.raises(NoManuscript, match="no cells"):
        sagews.read("just text", "x")


def test_markdown_has_text_code_and_what_of_output_is_text() -> None:
    forms = {"text/plain": b"x^2", "text/latex": b"$x^2$"}
    latex = [Bundle.Part(type=kind, data=data) for kind, data in forms.items()]
    frames = (
        Frame(stream=Stream(text="\x1b[31mone\x1b[0m\n")),
        Frame(stream=Stream(text="```\n")),
        Frame(bundle=Bundle(parts=latex, result=True)),
        Frame(bundle=Bundle(parts=[Bundle.Part(type="image/png", data=b"x")])),
        Frame(traceback=Traceback(name="E", value="v", text="long", short="short")),
    )
    parts = (Part("markdown", "# T"), Part("code", "x^2", frames), Part("code", "  "))
    assert markdown.write(Manuscript("Rings", parts)) == (
        "# Rings\n\n# T\n\n```sage\nx^2\n```\n\n````\none\n```\n````\n\n$x^2$\n\n```\nshort\n```\n"
    )


HOSTILE = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title='taken'\">"


def hostile() -> Manuscript:
    def frame(kind: str, text: str) -> Frame:
        return Frame(bundle=Bundle(parts=[Bundle.Part(type=kind, data=text.encode())]))

    svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>top.document.title='taken'</script></svg>"
    frames = (
        Frame(stream=Stream(text=HOSTILE)),
        frame("text/html", HOSTILE + r"\(x^2\)" + '"><script>top.document.title="taken"</script>'),
        frame("text/markdown", "Text " + HOSTILE + "[x](javascript:document.title='taken') $y^2$"),
        frame("text/latex", r"$$\text{" + HOSTILE + r"} z^2$$"),
        frame("text/latex", "{" * 5000),
        frame("image/svg+xml", svg),
        Frame(traceback=Traceback(text=HOSTILE)),
    )
    return Manuscript(HOSTILE, (Part("markdown", HOSTILE), Part("code", HOSTILE, frames)))


def test_a_web_page_of_one_file_shows_and_does_nothing(tab: Tab, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(standalone.write(hostile()))
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(f"file://{file}")
    assert tab.title() == HOSTILE
    assert tab.locator("math").count() >= 2
    for frame in tab.frames:
        assert frame.evaluate("document.scripts.length") in (0, 1, 2)
    tab.wait_for_timeout(500)
    assert tab.title() == HOSTILE
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []


def test_formulas_are_typeset_or_shown_as_they_were_typed() -> None:
    assert "<msup>" in formulas.typeset(r"x^{2} \in \Bold{Z}", block=False)
    assert formulas.typeset(r"<b>\frac{", block=True) == r"<code>&lt;b&gt;\frac{</code>"
    assert "<msup>" in formulas.typeset_in(r"a \(x^2\) &amp; b")
    page = prose.rendered("# T\n\n$x^2$ and\n\n$$y$$\n\n|a|b|\n|-|-|\n|1|2|")
    assert page.count("<math") == 2
    assert "<td>2</td>" in page


@pytest.mark.parametrize(
    ("markdown", "formulas", "said"),
    [
        (r"\[ \begin{pmatrix}1&2\\3&4\end{pmatrix} \] and \( x_1 *y* x_2 \)", 2, "and"),
        (r"\begin{align} a &= b \\ c &= d \end{align}", 1, "<mtable"),
        (r"\begin{equation*} a_1 = *b* \end{equation*}", 1, "<msub>"),
        ("$$\nx = 1\n$$", 1, "<mn>1</mn>"),
        ("$$x = 1$$ (one)", 1, "(one)"),
        ("$$\n\\begin{aligned} a &= b\n\n\\\\ c &= d\\end{aligned}\n$$", 1, "<mtable"),
        (r"$\ZZ \subset \QQbar$ and $\GF{5}$", 2, "\N{MATHEMATICAL BOLD CAPITAL Z}"),
        (r"$\newcommand{\Bold}[1]{\mathbf{#1}}\Bold{Z}$", 1, "\N{MATHEMATICAL BOLD CAPITAL Z}"),
        ("$5 and $6, $ x $ and `$x$`", 0, "$5 and $6, $ x $"),
        (r"\$5 and \$6", 0, "$5 and $6"),
        ("~~struck~~ $a$ *b*", 1, "<s>struck</s>"),
    ],
)
def test_a_page_has_the_formulas_that_the_worksheet_shows(
    markdown: str, formulas: int, said: str
) -> None:
    page = html.unescape(prose.rendered(markdown))
    assert page.count("<math") == formulas, page
    assert said in page
    assert r"\Bold" not in page
    assert r"\begin" not in page


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("H<sub>2</sub>O<br>b", "<p>H<sub>2</sub>O<br>b</p>"),
        ("<center><b onclick=f()>b</b></center>", "<center><b>b</b></center>"),
        ("<p class=a style='position:fixed'>\n\n*e*", "<p>\n</p><p><em>e</em></p>"),
        ("a<script>f()</script><style>b{}</style>", "<p>a</p>"),
        ("<form action=/x><input name=a>b</form>", "b"),
        ("<iframe src=/x></iframe><svg onload=f()></svg>b", "b"),
        ("<a href='javascript:f()'>b</a>", '<p><a rel="noopener noreferrer">b</a></p>'),
        ("<a href='da&Tab;ta:text/html,b'>b</a>", '<p><a rel="noopener noreferrer">b</a></p>'),
        ("![b](https://elsewhere.example/b.png)", '<p><img alt="b"></p>'),
        ("<img src='data:image/png;base64,AA=='>", '<img src="data:image/png;base64,AA==">'),
        ("<p title='\\(\" onclick=\"f()\\)'>b</p>", "<p>b</p>"),
        ("<math><mtext><img src=x onerror=f()></mtext></math>", "<p></p>"),
        (
            "<table><tr><td colspan=2 align=right>a</td></tr></table>",
            '<table><tbody><tr><td colspan="2" align="right">a</td></tr></tbody></table>',
        ),
        ("<div align=center dir=rtl>b</div>", '<div align="center" dir="rtl">b</div>'),
        ("a < b && `<b>`", "<p>a &lt; b &amp;&amp; <code>&lt;b&gt;</code></p>"),
    ],
)
def test_html_in_markdown_is_shown_and_harmless(markdown: str, shown: str) -> None:
    assert prose.rendered(markdown).strip() == shown


def test_formulas_in_html_are_typeset_but_not_where_text_is_as_typed() -> None:
    assert prose.rendered(r"<p>\(x\) and $$y$$ <code>\(z\)</code></p>").count("<math") == 2
    verbatim = r"<pre>\(x\)</pre><SCRIPT>'\[y\]'</SCRIPT>"
    assert formulas.typeset_in(verbatim) == verbatim
    assert formulas.typeset_in(r"<pre>\(x\)") == r"<pre>\(x\)"
    assert formulas.typeset_in(verbatim + r"\(x\)").count("<math") == 1


def test_what_is_opened_many_times_and_never_closed_is_text() -> None:
    """In time that grows as the text does: else this would not end today."""
    many = r"\( \[ \begin{align} $x " * 100_000
    assert formulas.typeset_in("<pre>" * 100_000 + r"\(x\)").count("<math") == 0
    assert "<math" not in prose.rendered(many)
    assert formulas.typeset_in(many) == many


def send(user: SignedIn, name: str, data: bytes) -> requests.Response:
    return user.http.post(
        f"{user.origin}/worksheets/import",
        headers={"Origin": user.origin},
        files={"file": (name, data)},
        timeout=PATIENCE,
    )


def test_a_file_becomes_a_worksheet_and_a_file_again(site: RunningSite, person: SignedIn) -> None:
    answer = send(person, "Rings.ipynb", json.dumps(NOTEBOOK).encode())
    worksheet = answer.url.rsplit("/", 1)[1]
    page = Page(person, worksheet)
    shown = page.until(lambda message: message.HasField("worksheet")).worksheet
    assert shown.title == "Rings"
    assert [cell.code for cell in shown.cells][1] == "x = 'é😀'\nx"
    page.until(lambda message: message.HasField("state"))
    assert "one\ntwo\n" in page.printed()
    assert page.run("6*7").status == Finished.OK
    page.close()
    exported = person.http.get(f"{person.origin}/w/{worksheet}/export.ipynb", timeout=PATIENCE)
    assert "Rings.ipynb" in exported.headers["Content-Disposition"]
    assert json.loads(exported.text)["cells"] == NOTEBOOK["cells"]
    program = person.http.get(f"{person.origin}/w/{worksheet}/export.sage", timeout=PATIENCE)
    assert program.text.startswith("# %% [markdown]\n# # Rings\n")


def test_a_large_notebook_comes_in_with_its_pictures(person: SignedIn) -> None:
    picture = base64.b64encode(os.urandom(3 << 20)).decode() + "\n"
    cell = {
        "cell_type": "code", "id": "a", "metadata": {}, "source": "plot(x)", "execution_count": 1,
        "outputs": [
            {"output_type": "display_data", "data": {"image/png": picture}, "metadata": {}}
        ],
    }  # fmt: skip
    worksheet = send(
        person, "Large.ipynb", json.dumps({**NOTEBOOK, "cells": [cell]}).encode()
    ).url.rsplit("/", 1)[1]
    page = Page(person, worksheet)
    shown = page.until(lambda message: message.frame.HasField("bundle")).frame.bundle
    assert len(shown.parts[0].data) == 3 << 20
    page.close()
    exported = person.http.get(f"{person.origin}/w/{worksheet}/export.ipynb", timeout=PATIENCE)
    assert json.loads(exported.text)["cells"] == [cell]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.exe", b"x", "only .ipynb, .sagews, .sage, .py"),
        ("x.ipynb", b"\xff\xfe", "no text in UTF-8"),
        ("x.ipynb", b"{}", "It is no notebook"),
    ],
)
def test_what_can_t_be_imported_is_told(
    site: RunningSite, person: SignedIn, name: str, data: bytes, words: str
) -> None:
    answer = send(person, name, data)
    assert answer.status_code == 400
    assert words in answer.text
