"""What the page shows of a session's output, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    FrameLocator,
    Locator,
    Playwright,
    expect,
    sync_playwright,
)
from playwright.sync_api import Page as Tab

from tests.browser import (
    NO_WEBGL,
    PATIENCE,
    WEBGL,
    editor,
    finished,
    launched,
    new_worksheet,
    run,
    signed_in,
)
from tests.running_site import RunningSite

DRAWING = 6  # scenes at a time


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with launched(playwright, *WEBGL) as running:
        yield running


@pytest.fixture
def context(browser: Browser, site: RunningSite) -> Iterator[BrowserContext]:
    with signed_in(browser, site) as made:
        yield made


@pytest.fixture
def tab(context: BrowserContext, site: RunningSite) -> Tab:
    return new_worksheet(context, site)


def frame(place: Locator) -> FrameLocator:
    return place.frame_locator("iframe")


def shown(tab: Tab, code: str) -> Locator:
    """The output of `code` in the first cell, complete."""
    return finished(run(tab, 1, code))


# --- Errors -----------------------------------------------------------------------


def test_an_error_is_short_and_opens_with_the_keyboard(tab: Tab) -> None:
    place = shown(tab, "def f(x):\n    return 1/x\nf(0)")
    expect(place.locator(".traceback pre")).to_have_count(1)
    expect(place.locator(".traceback pre")).to_contain_text("This cell, line 2, in f")
    expect(place).not_to_contain_text("integer.pyx")
    place.get_by_text("Full traceback").press("Enter")
    expect(place).to_contain_text("integer.pyx")


def test_an_error_that_is_told_whole_does_not_open(tab: Tab) -> None:
    place = shown(tab, "raise ValueError('no')")
    expect(place.locator(".traceback")).to_contain_text("ValueError: no")
    expect(place.locator("summary")).to_have_count(0)


# --- HTML -------------------------------------------------------------------------


def test_formulas_in_html_are_typeset_and_the_frame_is_as_tall_as_they_are(tab: Tab) -> None:
    place = shown(tab, "table([[x^2, sqrt(2)], [1, 'a']], header_row=True)")
    expect(frame(place).locator("td, th").first.locator(".katex")).to_be_visible()
    assert frame(place).locator("body").evaluate("() => document.fonts.ready.then(f => f.size)")
    root = frame(place).locator("html")
    assert root.evaluate("root => root.scrollHeight <= innerHeight && innerHeight < 100")


def test_a_frame_grows_and_shrinks_with_its_content(tab: Tab) -> None:
    place = shown(
        tab,
        "html('<div id=box style=\"height: 300px\"></div>"
        "<button onclick=\"box.style.height = \\'50px\\'\">less</button>')",
    )
    expect(place.locator("iframe")).to_have_css("height", re.compile(r"^3\d\dpx"))
    frame(place).get_by_role("button").press("Enter")  # wherever the page has moved it by now
    expect(place.locator("iframe")).to_have_css("height", re.compile(r"^\d\dpx"))


HOSTILE = """
html('''<p id=said></p><script>
const say = text => said.append(text + ";")
for (let n = 0; n < 100; n++) parent.postMessage({ height: 1e9, saved: "data:text/html,x" }, "*")
parent.postMessage(null, "*"); parent.postMessage("text", "*")
const secrets = ["parent.document.title", "top.location.href", "document.cookie", "localStorage"]
for (const what of secrets)
  try { eval(what); say("had " + what) } catch (error) { say(error.name) }
try { top.location = "/worksheets" } catch (error) { say(error.name) }
const elsewhere = ["/worksheets", "http://example.com/", "/static/js/output.js"]
Promise.all(elsewhere.map(url => fetch(url).then(() => say("fetched " + url), () => 0)))
  .then(() => import("/static/js/dom.js").then(() => say("imported"), () => 0))
  .then(() => say("done"))
</script>''')
"""


def test_html_reaches_neither_the_page_nor_the_network(tab: Tab) -> None:
    address = tab.url
    place = shown(tab, HOSTILE)
    said = frame(place).locator("#said")
    expect(said).to_have_text("SecurityError;" * 5 + "done;")
    box = place.locator("iframe").bounding_box()
    assert box
    assert box["height"] <= 2000
    assert tab.url == address


def test_markdown_json_and_mixed_latex(tab: Tab) -> None:
    place = shown(tab, "%md\n# Title $x_1$\n\n| a | b |\n|---|---|\n| 1 | *2* $y_1 * z_2$ |")
    expect(frame(place).get_by_role("heading")).to_contain_text("Title")
    expect(frame(place).locator("h1 .katex")).to_be_visible()
    expect(frame(place).locator("td .katex")).to_be_visible()
    expect(frame(place).locator("td em")).to_have_text("2")
    place = finished(run(tab, 2, "from IPython.display import *\nJSON({'a': {'b': {'c': [7]}}})"))
    expect(place).not_to_contain_text("7")
    place.get_by_text("b: {1}").click()
    place.get_by_text("c: [1]").click()
    expect(place).to_contain_text("0: 7")
    place = finished(run(tab, 3, "Latex(r'Some text, $x^2$')"))
    expect(place).to_contain_text("Some text, ")
    expect(place.locator(".katex")).to_have_count(1)


# --- Pictures ---------------------------------------------------------------------


def test_pictures_and_animations_are_images(tab: Tab) -> None:
    codes = (
        "plot(x, (x, 0, 1))",
        "points([(random(), random()) for i in range(10000)])",
        "animate([circle((0, 0), k) for k in (1, 2)], figsize=2)",
        "import matplotlib.pyplot as plt; plt.plot([1, 2])",
    )
    for number, code in enumerate(codes, 1):
        place = finished(run(tab, number, code))
        expect(place.locator("img")).to_have_count(1)
        expect(place.locator("img")).to_have_js_property("complete", True)
        width = place.locator("img").evaluate("image => image.naturalWidth && image.width")
        assert 100 < width <= 700


def test_pictures_in_place_of_others_do_not_flicker(tab: Tab) -> None:
    """While there is a next one, one is always seen."""
    editor(tab, 1).focus()
    tab.evaluate(
        """() => {
          window.missing = 0
          const look = () => {
            const images = [...document.querySelectorAll(".output img")]
            const seen = images.filter(image => image.complete && image.height)
            if (images.length && !seen.length) window.missing++
            requestAnimationFrame(look)
          }
          look()
        }"""
    )
    place = shown(
        tab,
        "from IPython.display import clear_output\n"
        "for k in range(1, 6):\n"
        "    clear_output(wait=True)\n"
        "    show(plot(k*x, (x, 0, 1), figsize=3))",
    )
    expect(place.locator("img")).to_have_count(1)
    assert tab.evaluate("window.missing") <= 1  # the first one, while it is read


# --- 3D ---------------------------------------------------------------------------


def test_a_scene_is_drawn_and_turns(tab: Tab) -> None:
    hosts: set[str] = set()
    tab.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    place = shown(tab, "cube() + text3d('T', (2, 0, 0))")
    canvas = frame(place).locator("canvas")
    expect(canvas).to_be_visible()
    canvas.scroll_into_view_if_needed()
    pictures = [canvas.screenshot()]
    canvas.drag_to(canvas, source_position={"x": 50, "y": 50}, target_position={"x": 150, "y": 70})
    pictures.append(canvas.screenshot())
    for key in ("ArrowLeft", "ArrowUp", "+"):
        tab.keyboard.press(key)
        pictures.append(canvas.screenshot())
    assert len(set(pictures)) == len(pictures)
    assert len({host for host in hosts if host}) == 1


def test_a_scene_s_picture_can_be_saved(tab: Tab) -> None:
    place = shown(tab, "sphere()")
    frame(place).locator("#menu-container").click()
    expect(frame(place).get_by_text("Save as HTML")).to_have_count(0)
    with tab.expect_download() as saved:
        frame(place).get_by_text("Save as PNG").click()
    assert saved.value.suggested_filename == "scene.png"


def test_of_many_scenes_a_few_draw_and_the_others_are_pictures(tab: Tab) -> None:
    place = shown(tab, "for k in range(10): show(sphere(size=k + 1))")
    scenes = place.locator(".scene")
    expect(scenes).to_have_count(10)
    for number in [*range(10), *range(9, -1, -1)]:
        scenes.nth(number).scroll_into_view_if_needed()
        expect(scenes.nth(number).frame_locator("iframe").locator("canvas")).to_be_visible()
        # Two that are near the window may draw in addition to those that rest already.
        assert place.locator("iframe").count() <= DRAWING + 2
    expect(place.locator(".scene img")).to_have_count(10 - DRAWING)
    expect(place.locator("button")).to_have_count(0)


def test_without_webgl_a_scene_says_so(site: RunningSite, playwright: Playwright) -> None:
    with launched(playwright, *NO_WEBGL) as other, signed_in(other, site) as context:
        place = shown(new_worksheet(context, site), "sphere()")
        expect(place).to_contain_text("needs WebGL", timeout=PATIENCE)
        expect(place.locator("iframe")).to_have_count(0)


# --- Text that is redrawn ----------------------------------------------------------


REDRAWN = [
    (["a\r\nb"], "a\nb"),
    (["abc\rx"], "xbc"),
    (["abc", "\rxyz"], "xyz"),
    (["ab\bc"], "ac"),
    (["abc\r\x1b[Kx"], "x"),
    (["abc", "\x1b[2D", "\x1b[1Kd"], " dc"),
    (["one 1\n", "two 1\n", "\x1b[2A", "\rone 2\n", "two 2\n"], "one 2\ntwo 2\n"),
    (["bar 1\n", "\rin 1", "\x1b[A", "\rbar 2", "\n\rin 2\x1b[A"], "bar 2\nin 2"),
    (["white\r\x1b[32mgr\x1b[0m"], "\x1b[32mgr\x1b[0mite"),
    (["\x1b[32mab\r", "c"], "\x1b[32mcb\x1b[0m"),
    (["old\nlines\n\x1b[H\x1b[2Jnew"], "new"),
    (["x\x1b[999999999C", "y"], "x" + " " * 9999 + "y"),
    (["top\x1b[5A\rT"], "Top"),
]


def test_cursor_movements_leave_what_a_terminal_shows(tab: Tab) -> None:
    feed = """async ([chunks]) => {
      const { settle } = await import("/static/js/terminal.js")
      let text = "", cursor = ""
      for (const chunk of chunks) ({ text, cursor } = settle(text + cursor + chunk))
      return text
    }"""
    for chunks, expected in REDRAWN:
        assert tab.evaluate(feed, [chunks]) == expected


NESTED_BARS = """
import sys
for i in range(3):
    for j in range(3):
        sys.stderr.write(f"\\router {i}\\n\\rinner {j}\\x1b[A"); sys.stderr.flush()
sys.stderr.write("\\n\\n")
"""


def test_progress_is_redrawn_in_place(tab: Tab) -> None:
    place = shown(tab, "print('before\\n' * 300, end='')" + NESTED_BARS)
    expect(place.locator(".stderr")).to_have_text("outer 2\ninner 2")


# --- Everywhere --------------------------------------------------------------------


def test_output_fits_a_phone(tab: Tab) -> None:
    tab.set_viewport_size({"width": 360, "height": 740})
    codes = ("1/0", "table([[x^2] * 20])", "sphere()", "plot(x, (x, 0, 1))", "html('x' * 500)")
    for number, code in enumerate(codes, 1):
        finished(run(tab, number, code))
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
