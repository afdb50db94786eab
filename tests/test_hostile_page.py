"""Output that means harm, in a real browser: whatever a cell shows, the page and the person who
looks at it are left alone. What scripts may read is in test_rich_page.py."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from playwright.sync_api import BrowserContext, Dialog, Locator, Request, expect
from playwright.sync_api import Page as Tab

from tests.browser import PATIENCE, finished, run

SHOWN = "<p class=shown>shown</p>"
OWNED = "try { top.document.title = 'owned' } catch (error) {}; alert('owned')"
HTML = {
    "a popup": "<script>open('/trap'); open('about:blank')</script>",
    "a form": "<form id=f action=/trap method=post target=_top></form><script>f.submit()</script>",
    "a form's button": "<form action=/trap target=_blank><button id=b>x</button></form>"
    "<script>b.click()</script>",
    "a link to the top": "<a id=l href=/trap target=_top>x</a><script>l.click()</script>",
    "a link to a new tab": "<a id=l href=/trap target=_blank>x</a><script>l.click()</script>",
    "a script's link": f"<a id=l href=\"javascript:{OWNED}\">x</a><script>l.click()</script>",
    "a refresh": "<meta http-equiv=refresh content='0;url=/trap'>",
    "a page of the site": "<iframe src=/worksheets></iframe><iframe src=/trap></iframe>",
    "data in a frame": "<iframe src='data:text/html,<script>top.location=`/trap`</script>'>"
    "</iframe>",
    "a socket": "<script>try { new WebSocket('ws://' + document.referrer.split('/')[2] + '/trap') }"
    " catch (error) {}</script>",
    "a worker": "<script>try { new Worker('/trap') } catch (error) {}</script>",
    "a picture elsewhere": "<img src='http://127.0.0.1/trap'><img src=/trap>",
    "another base": "<base href=/trap/ target=_top><a id=l href=x>x</a><script>l.click()</script>",
    "messages": "<script>for (const data of [null, 1, {ready: {}}, {height: -1}, {height: {}},"
    " {saved: 'javascript:alert(1)'}, {state: 'dead'}]) top.postMessage(data, '*')</script>",
    "a storm of dialogs": "<script>alert(1); confirm(2); prompt(3); print()</script>",
    "full screen": "<script>document.documentElement.requestFullscreen().catch(() => 0)</script>",
}
OTHERS = {
    "SVG": "SVG('''<svg xmlns='http://www.w3.org/2000/svg' width='50' height='20'"
    " onload=\"{owned}\">"
    "<script>{owned}</script><foreignObject><body xmlns='http://www.w3.org/1999/xhtml'"
    " onload='alert(1)'><iframe src='/trap'/></body></foreignObject><a href='javascript:alert(2)'>"
    "<text y='15'>shown</text></a><image href='/trap'/></svg>''')",
    "Markdown": "Markdown('''<img src=/trap onerror=\"{owned}\"> [x](javascript:alert(1))"
    " <script>{owned}</script> <iframe src=/trap></iframe>''')",
    "LaTeX": r"Math(r'\href{{javascript:alert(1)}}{{x}} \includegraphics{{/trap}}"
    r" \htmlData{{a=b}}{{y}}')",
    "an image that is none": "Image(data=b'<script>{owned}</script>', format='png')",
    "Javascript": "Javascript(\"{owned}\")",
}
COVER = (
    "<div style='position: fixed; inset: -9999px; z-index: 2147483647; background: red'></div>"
    "<style>html, body { position: fixed; width: 9999vw; height: 9999vh }</style>"
)


@dataclass
class Watched:
    """A page, and what happens to it that must not."""

    tab: Tab
    harm: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.address, self.title = self.tab.url, self.tab.title()
        self.tab.on("dialog", self._dialog)
        self.tab.on("websocket", lambda socket: self._note("trap" in socket.url, "a socket"))
        self.tab.context.on("request", self._request)
        self.tab.context.on("page", lambda page: self._note(True, "a new page"))

    def assert_unharmed(self) -> None:
        self.tab.wait_for_timeout(300)  # what tries something later than its script
        assert self.harm == []
        assert (self.tab.url, self.tab.title()) == (self.address, self.title)

    def _note(self, is_harm: bool, what: str) -> None:
        if is_harm:
            self.harm.append(what)

    def _dialog(self, dialog: Dialog) -> None:
        self._note(True, f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        """None may be made in the person's name."""
        if request.service_worker:  # for a page of the site: it serves no frame without origin
            self._note("trap" in request.url, f"a request by the worker: {request.url}")
            return
        if "trap" in request.url or (request.frame != self.tab.main_frame
                                     and request.url.endswith("/worksheets")):
            self._note("cookie" in request.all_headers(), f"a request with a cookie: {request.url}")
            self._note(request.frame == self.tab.main_frame, f"a request: {request.url}")


@pytest.fixture
def watched(tab: Tab) -> Watched:
    return Watched(tab)


def shows(place: Locator) -> None:
    """Wait until what is shown behind the attack is there."""
    shown = place.frame_locator("iframe").first.locator(".shown")
    expect(shown).to_be_visible(timeout=PATIENCE)


def test_harm_would_be_seen(watched: Watched) -> None:
    watched.tab.evaluate(f"{OWNED.replace('top.', '')}; open('/trap'); fetch('/trap')")
    watched.tab.wait_for_timeout(300)
    seen = " ".join(watched.harm)
    for what in ("a dialog: owned", "a new page", "a request with a cookie"):
        assert what in seen
    assert watched.tab.title() == "owned"


@pytest.mark.parametrize("attack", HTML)
def test_html_leaves_the_page_alone(watched: Watched, attack: str) -> None:
    code = f"html({HTML[attack] + SHOWN!r})"
    place = finished(run(watched.tab, 1, code))
    if attack != "a refresh":  # which may take its own frame away
        shows(place)
    watched.assert_unharmed()
    expect(finished(run(watched.tab, 2, "print('goes on')"))).to_contain_text("goes on")


@pytest.mark.parametrize("kind", OTHERS)
def test_other_forms_leave_the_page_alone(watched: Watched, kind: str) -> None:
    code = "from IPython.display import *\n" + OTHERS[kind].format(owned=OWNED.replace("'", "`"))
    finished(run(watched.tab, 1, code))
    watched.assert_unharmed()
    expect(finished(run(watched.tab, 2, "print('goes on')"))).to_contain_text("goes on")


def test_html_covers_nothing_but_its_own_place(watched: Watched) -> None:
    tab = watched.tab
    place = finished(run(tab, 1, f"html({COVER + SHOWN!r})"))
    expect(place.locator("iframe")).to_be_visible()
    tab.wait_for_timeout(500)
    tab.get_by_role("button", name="Add cell").click(trial=True)
    tab.get_by_role("button", name="Run all").click(trial=True)
    box = place.locator("iframe").bounding_box()
    assert box
    width = tab.evaluate("innerWidth")
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    watched.assert_unharmed()


def test_one_s_output_does_not_reach_another_s(watched: Watched, context: BrowserContext) -> None:
    tab = watched.tab
    finished(run(tab, 1, f"html('<p id=secret>secret</p>{SHOWN}')"))
    reach = (
        "<script>const seen = []; for (let i = 0; i < top.frames.length; i++)"
        " try { seen.push(top.frames[i].document.body.innerText) }"
        " catch (error) { seen.push('–') };"
        "document.body.append(seen.join() || 'none')</script>"
    )
    place = finished(run(tab, 2, f"html({reach + SHOWN!r})"))
    shows(place)
    expect(place.frame_locator("iframe").locator("body")).not_to_contain_text("secret")
    watched.assert_unharmed()
