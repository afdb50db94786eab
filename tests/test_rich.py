"""What a session shows, with real Sage: errors, other languages, formulas, pictures, scenes."""

from __future__ import annotations

import json
import re

import pytest

from app.settings import ROOT
from app.wire.messages_pb2 import Finished, Traceback
from tests.page_client import Page

ANSI = re.compile(r"\x1b\[[0-9;]*m")
SCENE = "application/vnd.salvus.scene+html"


def parts(page: Page, code: str) -> dict[str, bytes]:
    """All that a run displays, by type without parameters; it must end well."""
    run = page.start(code)
    assert page.finish(run).status == Finished.OK, error(page)
    return {
        part.type.split(";")[0]: part.data
        for frame in page.frames()
        if frame.run == run
        for part in frame.bundle.parts
    }


def error(page: Page) -> Traceback | None:
    """The latest error."""
    found = [frame.traceback for frame in page.frames() if frame.HasField("traceback")]
    return found[-1] if found else None


def told(page: Page, code: str) -> str:
    """What the page shows at first of the error that `code` makes, without colours."""
    assert page.run(code).status == Finished.ERROR
    found = error(page)
    assert found
    return ANSI.sub("", found.short or found.text)


def gif_delays(data: bytes) -> list[int]:
    """For each picture of a GIF how long it is shown, in hundredths of a second."""
    delays = []
    at = 13 + _colours(data[10])
    while data[at] != 0x3B:
        if data[at : at + 3] == b"\x21\xf9\x04":
            delays.append(int.from_bytes(data[at + 4 : at + 6], "little"))
        at += 2 if data[at] == 0x21 else 11 + _colours(data[at + 9])
        while data[at]:
            at += 1 + data[at]
        at += 1
    return delays


def _colours(flags: int) -> int:
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0


def printed(page: Page, code: str) -> str:
    run = page.start(code)
    assert page.finish(run).status == Finished.OK, error(page)
    return page.printed(run)


# --- Errors -----------------------------------------------------------------------


def test_an_error_is_told_by_the_lines_as_they_were_typed(page: Page) -> None:
    assert told(page, "\ndef f(x):\n    return 2^3/x\n\nf(0)") == (
        "This cell, line 5\n    f(0)\n"
        "This cell, line 3, in f\n    return 2^3/x\n"
        "ZeroDivisionError: rational division by zero"
    )
    found = error(page)
    assert found
    assert "integer.pyx" in ANSI.sub("", found.text)
    assert (found.name, found.value) == ("ZeroDivisionError", "rational division by zero")


def test_an_earlier_cell_and_a_file_at_home_are_named(page: Page) -> None:
    page.run("def f(x):\n    return mod.g(x)")
    page.run("_ = open('mod.py', 'w').write('def g(x):\\n    return 1/x\\n'); import mod")
    assert told(page, "f(0)") == (
        "This cell, line 1\n    f(0)\n"
        "An earlier cell, line 2, in f\n    return mod.g(x)\n"
        "~/mod.py, line 2, in g\n    return 1/x\n"
        "ZeroDivisionError: rational division by zero"
    )


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise ValueError('no')", "This cell, line 1\n    raise ValueError('no')\nValueError: no"),
        (
            "x = 1\nx = = x",
            "This cell, line 2\n    x = = x\n        ^\nSyntaxError: invalid syntax",
        ),
        ("2^3 +", "This cell, line 1\n    2^3 +\nSyntaxError: invalid syntax"),
        (
            "for i in range(3)\n    print(i)",
            "This cell, line 1\n    for i in range(3)\nSyntaxError: expected ':'",
        ),
    ],
)
def test_what_is_whole_is_told_once(page: Page, code: str, expected: str) -> None:
    assert told(page, code) == expected
    found = error(page)
    assert found
    assert found.short == ""


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            "try:\n    int('a')\nexcept ValueError:\n    1/0",
            "This cell, line 2\n    int('a')\n"
            "ValueError: invalid literal for int() with base 10: 'a'\n\n"
            "and while that was handled:\n\n"
            "This cell, line 4\n    1/0\nZeroDivisionError: rational division by zero",
        ),
        ("%%time\na = 1\n1/0", "This cell, line 1\n    %%time\nThis cell, line 3\n    1/0\n"
                               "ZeroDivisionError: rational division by zero"),
        ("async def q(): 1/0\nawait q()", "This cell, line 2\n    await q()\n"
                                          "This cell, line 1, in q\n    async def q(): 1/0\n"
                                          "ZeroDivisionError: rational division by zero"),
        ("e = ValueError('x'); e.add_note('a note'); raise e",
         "This cell, line 1\n    e = ValueError('x'); e.add_note('a note'); raise e\n"
         "ValueError: x\na note"),
        ("raise ExceptionGroup('several', [ValueError(1)])",
         "This cell, line 1\n    raise ExceptionGroup('several', [ValueError(1)])\n"
         "ExceptionGroup: several (1 sub-exception)"),
        ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
         "This cell, line 3\n    raise E\n"
         "E: <ValueError while asking for the text of this error>"),
    ],
)  # fmt: skip
def test_errors_of_every_kind_are_told(page: Page, code: str, expected: str) -> None:
    assert told(page, code) == expected


def test_a_deep_recursion_is_told_in_short(page: Page) -> None:
    text = told(page, "def r(n): return r(n + 1)\nr(1)")
    assert "RecursionError" in text
    assert "calls …" in text
    assert text.count("\n") < 40


def test_an_interrupt_names_the_line(page: Page) -> None:
    run = page.start("print('on')\nwhile True: pass")
    page.until(lambda m: m.frame.run == run and m.frame.HasField("stream"))
    page.interrupt(run)
    assert page.finish(run).status == Finished.INTERRUPTED
    found = error(page)
    assert found
    assert "This cell, line 2" in ANSI.sub("", found.text + found.short)


# --- Other languages ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("%gap\nG := SymmetricGroup(4);;\nOrder(G);", "24\n"),
        ("%%gap\nG := SymmetricGroup(4);;\nOrder(G);", "24\n"),
        ("%maxima\nintegrate(x^2, x);", "x^3/3\n"),
        ("%%singular\nring r = 0,(x,y),dp;\nideal i = x2-y,y2-x;\nsize(std(i));", "2"),
        ("\n%gp\nfactor(12)", "[2 2]\n\n[3 1]"),
        ("%sh\necho $((6 * 7)); pwd", "42\n/home/user\n"),
        ("%%bash\necho hi", "hi\n"),
        ("!echo shell", "shell\r\n"),
        ("%python\nprint(1/2, 2^3)", "0.5 1\n"),
        ("import asyncio\nawait asyncio.sleep(float(0))\nprint('later')", "later\n"),
        ("%time _ = factor(2^100-1)", "Wall time"),
        ("%time\n_ = factor(2^100-1)", "Wall time"),
        ("%timeit -n 1 -r 1 1+1", "per loop"),
    ],
)
def test_a_cell_in_another_language(page: Page, code: str, expected: str) -> None:
    assert expected in printed(page, code)


def test_plain_python_shares_the_session(page: Page) -> None:
    printed(page, "%python\nhalf = 1/2")
    assert printed(page, "print(type(half).__name__)") == "float\n"


@pytest.mark.parametrize(
    ("code", "missing"),
    [("%%magma\n1+1", "its program magma is missing"), ("%magma 1+1", "its program magma")],
)
def test_a_missing_language_is_named(page: Page, code: str, missing: str) -> None:
    text = told(page, code)
    assert "NotInstalled: Magma is not installed on this server" in text
    assert missing in text
    assert text.count("\n") == 2


def test_a_missing_package_is_named_each_time(page: Page) -> None:
    if page.run("import rpy2").status == Finished.OK:
        pytest.skip("R is installed")
    for code in ("%%r\n1+1", "%%r\n1+1", "%r 1+1"):
        text = told(page, code)
        assert "R is not installed on this server: its Python package rpy2 is missing" in text


def test_progress_bars_redraw_in_place(page: Page) -> None:
    page.run("from tqdm import tqdm\nfor i in tqdm(range(3), desc='work'): pass\nprint('done')")
    text = "".join(frame.stream.text for frame in page.frames())
    assert "\rwork: 100%" in text
    assert "3/3" in text
    assert text.rstrip().endswith("done")


def test_other_programs_are_not_shared_by_sessions(page: Page) -> None:
    """None may be started before the fork."""
    processes = "import subprocess; print(subprocess.getoutput('ps ax'))"
    assert not re.search(r"maxima|gap -|Singular|\bgp\b", printed(page, processes))
    printed(page, "%%gp\n1+1")
    assert re.search(r"\bgp\b", printed(page, processes))


def test_an_interrupt_reaches_another_language(page: Page) -> None:
    page.run("gp(1)")
    run = page.start("print('on'); gp('while(1,)')")
    page.until(lambda m: m.frame.run == run and m.frame.HasField("stream"))
    page.interrupt(run)
    assert page.finish(run).status == Finished.INTERRUPTED
    assert printed(page, "%%gp\n6*7").strip() == "42"


def test_files_are_loaded_attached_and_named_in_errors(page: Page) -> None:
    text = "# one\ndef g(n):\n    return 2^n/0\nprint(2^10)\n"
    page.run(f"_ = open('a.sage', 'w').write({text!r})")
    assert printed(page, "load('a.sage')") == "1024\n"
    assert "~/a.sage, line 3, in g\n    return 2^n/0\n" in told(page, "g(2)")
    assert printed(page, "attach('a.sage')") == "1024\n"
    page.run(
        "import os; _ = open('a.sage', 'w').write('print(2^11)\\n');"
        "os.utime('a.sage', (int(2e9), int(2e9)))"
    )
    assert printed(page, "print('next')") == "### reloading attached file a.sage ###\n2048\nnext\n"


def test_sleep_is_as_in_stock_sage(page: Page) -> None:
    assert "TypeError" in told(page, "from time import sleep\nsleep(0.05)")
    assert page.run("sleep(0.05r)").status == Finished.OK


# --- Formulas and HTML --------------------------------------------------------------


@pytest.mark.parametrize("code", ["x^2", "show(x^2)", "view(x^2)", "show(LatexExpr('x^{2}'))"])
def test_formulas_are_typeset(page: Page, code: str) -> None:
    assert parts(page, code)["text/latex"] == rb"$\displaystyle x^{2}$"


@pytest.mark.parametrize(
    ("code", "text"), [("latex(x^2)", b"x^{2}"), ("ascii_art(x^2)", b" 2\nx ")]
)
def test_what_is_asked_for_as_text_is_text(page: Page, code: str, text: bytes) -> None:
    assert parts(page, code) == {"text/plain": text}


def test_display_chooses_the_form_of_results(page: Page) -> None:
    page.run("%display plain")
    assert set(parts(page, "x^2")) == {"text/plain"}
    page.run("%display ascii_art")
    assert parts(page, "x^2/2") == {"text/plain": b" 2\nx \n--\n2 "}
    page.run("%display latex")
    assert "text/latex" in parts(page, "[x^2, 'a']")
    page.run("%display default")
    assert "text/latex" in parts(page, "x^2")
    assert "image/svg+xml" in parts(page, "plot(x, (x, 0, 1))")


def test_html_and_tables(page: Page) -> None:
    assert parts(page, "html('<b>$x^2$</b>')")["text/html"] == rb"<b>\(x^2\)</b>"
    assert rb"\(x^{2}\)" in parts(page, "table([[1, x^2]], header_row=True)")["text/html"]
    assert parts(page, "%md\n# Hi")["text/markdown"] == b"# Hi\n"
    assert parts(page, "%%html\n<i>x</i>")["text/html"] == b"<i>x</i>\n"


def test_json_may_have_sage_s_numbers(page: Page) -> None:
    made = parts(page, "from IPython.display import JSON\nJSON({'a': [1, 1.5, x]})")
    assert json.loads(made["application/json"]) == {"a": [1, 1.5, "x"]}


# --- Pictures -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "plot(sin(x), (x, 0, 1))",
        "show(plot(sin(x), (x, 0, 1)), figsize=3)",
        "graphics_array([[plot(x, (x, 0, 1)), circle((0, 0), 1)]])",
        "graphs.PetersenGraph()",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()",
        "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(); ax.plot([1, 2]); fig",
    ],
)
def test_plots_are_crisp(page: Page, code: str) -> None:
    run = page.start(code)
    assert page.finish(run).status == Finished.OK
    bundles = [f.bundle for f in page.frames() if f.run == run and f.HasField("bundle")]
    assert len(bundles) == 1
    assert {part.type for part in bundles[0].parts} == {"image/svg+xml", "text/plain"}


@pytest.mark.parametrize(
    "code",
    [
        "points([(random(), random()) for i in range(10000)])",
        "import matplotlib.pyplot as plt; import numpy as np\n"
        "plt.scatter(*np.random.rand(int(2), int(30000)))",
    ],
)
def test_a_huge_plot_is_a_sharp_png(page: Page, code: str) -> None:
    run = page.start(code)
    page.finish(run)
    [picture] = [
        part
        for frame in page.frames()
        if frame.run == run
        for part in frame.bundle.parts
        if part.type.startswith("image/")
    ]
    shown = re.fullmatch(r"image/png;width=(\d+)", picture.type)
    assert shown
    assert int.from_bytes(picture.data[16:20], "big") == pytest.approx(2 * int(shown[1]), abs=2)


def test_images_are_as_large_as_they_ask(page: Page) -> None:
    page.run("plot(x, (x, 0, 1), figsize=1).save('p.png')")
    run = page.start("from IPython.display import Image\nImage('p.png', width=50, height=40)")
    page.finish(run)
    types = {part.type for f in page.frames() if f.run == run for part in f.bundle.parts}
    assert "image/png;width=50;height=40" in types


@pytest.mark.parametrize("show", ["a", "a.show()"])
def test_animations_move(page: Page, show: str) -> None:
    made = parts(page, f"a = animate([circle((0, 0), k) for k in (1, 2, 3)], figsize=2)\n{show}")
    assert gif_delays(made["image/gif"]) == [20, 20, 20]
    assert b"NETSCAPE2.0\x03\x01\0\0" in made["image/gif"]  # for ever


def test_animations_are_saved_as_asked(page: Page) -> None:
    page.run(
        "a = animate([circle((0, 0), k) for k in (1, 2)], figsize=2)\n"
        "a.gif(savefile='a.gif', delay=50, iterations=3)"
    )
    code = "from PIL import Image\ng = Image.open('a.gif'); print(g.n_frames, g.info['duration'])"
    assert printed(page, code) == "2 500\n"


def test_frames_of_different_sizes_make_an_animation(page: Page) -> None:
    code = "animate([plot(x, (x, 0, k), aspect_ratio=1) for k in (1, 3)], figsize=2)"
    assert len(gif_delays(parts(page, code)["image/gif"])) == 2


# --- 3D -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "sphere()",
        "show(sphere())",
        "var('u v'); plot3d(sin(u*v), (u, -2, 2), (v, -2, 2))",
        "var('u v'); parametric_plot3d((cos(u), sin(u), v), (u, 0, 2*pi), (v, 0, 1))",
        "graphs.PetersenGraph().plot3d()",
        "polytopes.cube().plot()",
        "animate([sphere(size=k) for k in (1, 2)]).interactive()",
    ],
)
def test_3d_is_a_scene(page: Page, code: str) -> None:
    made = parts(page, code)
    assert b"THREE.Scene" in made[SCENE]
    assert b"<script src" not in made[SCENE]


def test_3d_without_webgl_is_a_picture(page: Page) -> None:
    assert "image/png" in parts(page, "sphere().show(viewer='tachyon')")


def test_the_page_has_the_three_js_that_sage_writes_for() -> None:
    [version] = (ROOT / ".venv-sage").glob("lib/*/site-packages/sage/ext_data/threejs/*version.txt")
    revision = version.read_text().strip().removeprefix("r")
    assert f'REVISION="{revision}"' in (ROOT / "app/static/vendor/three.js").read_text()
