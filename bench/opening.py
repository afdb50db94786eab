"""`python -m bench.opening`: how the worksheet page opens and scrolls, in Chromium.

On a slow network as browsers' own tools define slow 3G: 400 kbit/s each way, 400 ms more for
each answer. Bar: 300 KiB before the first edit, 1 s to the first usable cell once the page has
been there before.
"""

from __future__ import annotations

import statistics
import sys
import time
import uuid
from typing import Any

import click
from playwright.sync_api import BrowserContext, Playwright, expect, sync_playwright
from playwright.sync_api import Page as Tab

from bench.measures import percentile
from tests.browser import editor, launched, signed_in
from tests.host import short_folder
from tests.page_client import Page, SignedIn
from tests.running_site import RunningSite, supervised

SLOW = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
FAST = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
TIMES = 5
CELLS = 500
SCROLL = """async () => {
    const times = []
    let last = performance.now()
    for (let i = 0; i < 200; i++) {
        scrollBy(0, 300)
        await new Promise(requestAnimationFrame)
        const now = performance.now()
        times.push(now - last)
        last = now
    }
    return times
}"""


@click.command(help=__doc__)
def main() -> None:
    with short_folder() as folder, sync_playwright() as playwright:
        site = supervised(folder)
        site.start()
        try:
            _measure(site, playwright)
        finally:
            site.stop()


def _measure(site: RunningSite, playwright: Playwright) -> None:
    person = SignedIn(site.new_address())
    small, large = _worksheet(site, person, 3), _worksheet(site, person, CELLS)
    with launched(playwright, "--disable-gpu") as browser:
        firsts, agains, sizes = [], [], []
        with signed_in(browser, site) as context:
            state = context.storage_state()
        for _ in range(TIMES):
            context = browser.new_context(storage_state=state)
            first, size = _open(context, small, SLOW)
            firsts.append(first)
            sizes.append(size)
            time.sleep(3)  # in which the page is kept
            agains.append(_open(context, small, SLOW)[0])
            context.close()
        context = browser.new_context(storage_state=state)
        opened, _ = _open(context, large, FAST)
        expect(context.pages[-1].locator(".cell")).to_have_count(CELLS, timeout=60_000)
        time.sleep(3)
        frames = [float(each) for each in context.pages[-1].evaluate(SCROLL)]
    for what, found in (
        ("bytes before the first edit, KiB", statistics.median(sizes) / 1024),
        ("first usable cell, slow 3G, first time, s", statistics.median(firsts)),
        ("first usable cell, slow 3G, afterwards, s", statistics.median(agains)),
        (f"worksheet of {CELLS} cells, s", opened),
        ("a frame while it scrolls, p50, ms", statistics.median(frames)),
        ("a frame while it scrolls, p99, ms", percentile(frames, 99)),
    ):
        print(f"{what:45} {found:8.2f}", file=sys.stdout)


def _worksheet(site: RunningSite, person: SignedIn, cells: int) -> str:
    """The address of one with so many cells."""
    made = person.new_worksheet()
    page = Page(person, made)
    for number in range(cells):
        page.save(str(uuid.uuid4()), f"# {number}\nfactor({number} + 2)", float(number + 1))
        page.until(lambda message: message.HasField("cell_saved"))
    page.close()
    return f"http://127.0.0.1:{site.port}/w/{made}"


def _open(context: BrowserContext, address: str, network: dict[str, Any]) -> tuple[float, float]:
    """Seconds until something can be typed into the first cell, and bytes until then."""
    tab: Tab = context.new_page()
    sizes: list[float] = []
    session = context.new_cdp_session(tab)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", network)
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    began = time.monotonic()
    tab.goto(address, wait_until="commit")
    expect(editor(tab, 1)).to_be_visible(timeout=120_000)
    return time.monotonic() - began, sum(sizes)


if __name__ == "__main__":
    main()
