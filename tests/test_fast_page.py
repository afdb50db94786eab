"""The worksheet page is small, and opens from what the browser keeps of it."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, BrowserContext, expect
from playwright.sync_api import Page as Tab

from tests.browser import editor, finished, new_worksheet, output, run, signed_in
from tests.running_site import RunningSite

BUDGET = 300 * 1024  # bytes over the network before anything is typed
KEPT = "caches.open('salvus-pages').then(kept => kept.match(location.href)).then(Boolean)"
FORGOTTEN = "caches.keys().then(names => !/pages|sheets/.test(names))"


def received(tab: Tab) -> list[float]:
    """Bytes of each answer that the tab gets from now on, headers included."""
    sizes: list[float] = []
    network = tab.context.new_cdp_session(tab)
    network.send("Network.enable")

    def note(event: dict[str, Any]) -> None:
        sizes.append(event["encodedDataLength"])

    network.on("Network.loadingFinished", note)
    return sizes


def until(tab: Tab, promise: str) -> None:
    """Wait until it is fulfilled with something true."""
    for _ in range(100):
        if tab.evaluate(promise):
            return
        tab.wait_for_timeout(100)
    raise AssertionError(f"not fulfilled: {promise}")


def test_it_is_small(context: BrowserContext, site: RunningSite) -> None:
    address = new_worksheet(context, site).url
    with_nothing = context.browser
    assert with_nothing
    fresh = with_nothing.new_context(storage_state=context.storage_state())
    tab = fresh.new_page()
    sizes = received(tab)
    tab.goto(address)
    expect(editor(tab, 1)).to_be_visible()
    assert 100_000 < sum(sizes) < BUDGET
    loaded = "performance.getEntriesByType('resource').some(one => one.name.includes('katex.js'))"
    assert not tab.evaluate(loaded)  # what typesets formulas comes with the first
    finished(run(tab, 1, "integrate(x^2, x)"))
    expect(output(tab, 1).locator(".katex").first).to_be_visible()
    assert tab.evaluate(loaded)
    fresh.close()


def test_it_opens_without_a_network(tab: Tab) -> None:
    finished(run(tab, 1, "print('kept')"))
    expect(tab.locator("#saved")).to_have_text("saved")
    tab.reload()
    expect(output(tab, 1)).to_have_text("kept\n")
    until(tab, KEPT)
    tab.context.set_offline(True)
    tab.reload()
    expect(editor(tab, 1)).to_contain_text("print('kept')")
    editor(tab, 1).focus()
    tab.keyboard.press("Control+End")
    tab.keyboard.insert_text("  # offline")
    expect(tab.locator("#saved")).to_contain_text("kept in this browser")
    tab.reload()
    expect(editor(tab, 1)).to_contain_text("# offline")
    tab.context.set_offline(False)
    expect(tab.locator("#saved")).to_have_text("saved")
    expect(output(tab, 1)).to_have_text("kept\n")
    assert editor(tab, 1).inner_text() == "print('kept')  # offline"


def test_who_signs_out_leaves_nothing_behind(browser: Browser, site: RunningSite) -> None:
    with signed_in(browser, site) as context:
        tab = new_worksheet(context, site)
        until(tab, KEPT)
        tab.goto(f"http://127.0.0.1:{site.port}/account")
        tab.get_by_role("button", name="Sign out", exact=True).last.click()
        expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()
        until(tab, FORGOTTEN)
