"""Interacts in a real browser: moved, dragged, reloaded, seen twice, and after their session."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, expect
from playwright.sync_api import Page as Tab

from tests.browser import PATIENCE, editor, finished, output, run
from tests.running_site import RunningSite, kill_all

COUNTER = "@interact\ndef f(n=slider(0, 100)): print('n is', n)"
EVERYTHING = """
@interact
def everything(n=(0, 10), r=range_slider(0, 20, 1, (3, 8)), one=['a', 'b'],
               few=selector([1, 2, 3], buttons=True), q=selector(['x', 'y'], selector_type='radio'),
               tick=False, t='text', e=sqrt(2), m=matrix([[1, 2], [3, 4]]), c=Color('red'),
               go=button('Press me'), h=text_control('<h2>About $x^2$</h2>')):
    print(n, r, one, few, q, tick, t, e, m.det(), c.html_color(), go)
"""
# Samples at every animation frame what a person sees of an interact's output
WATCH = """() => {
  const area = document.querySelector(".area")
  const seen = window.seen = { frames: 0, empty: 0, least: Infinity }
  const look = () => {
    const pictures = [...area.querySelectorAll("img")]
    seen.frames++
    seen.least = Math.min(seen.least, area.offsetHeight)
    const drawn = pictures.length && pictures.every(each => each.complete && each.naturalWidth)
    if (!drawn) seen.empty++
    seen.next = requestAnimationFrame(look)
  }
  look()
}"""


def slider(tab: Tab, name: str) -> Locator:
    return tab.get_by_role("slider", name=name, exact=True)


def area(tab: Tab) -> Locator:
    return tab.locator(".area").first


def settled(tab: Tab) -> None:
    """Wait until no interact is being updated."""
    expect(tab.locator(".updating")).to_have_count(0, timeout=PATIENCE)


def drag(tab: Tab, handle: Locator, steps: int) -> None:
    """Drag a slider from its left end to its right, fast."""
    box = handle.bounding_box()
    assert box is not None
    left, y, room = box["x"] + 9, box["y"] + box["height"] / 2, box["width"] - 18
    tab.mouse.move(left, y)
    tab.mouse.down()
    for each in range(1, steps + 1):
        tab.mouse.move(left + room * each / steps, y)
    tab.mouse.up()


def test_a_slider_is_dragged_and_the_output_follows(tab: Tab) -> None:
    finished(run(tab, 1, COUNTER))
    expect(area(tab)).to_contain_text("n is 0")
    drag(tab, slider(tab, "n"), 50)
    expect(area(tab)).to_contain_text("n is 100", timeout=PATIENCE)
    expect(slider(tab, "n")).to_have_attribute("aria-valuetext", "100")
    settled(tab)
    assert (area(tab).text_content() or "").split() == ["n", "is", "100"]


def test_of_a_fast_drag_over_a_slow_one_the_last_value_counts(tab: Tab) -> None:
    code = (
        "computed = []\n@interact\ndef f(n=slider(0, 100)):\n"
        "    computed.append(n); sleep(float(0.5)); print('n is', n)"
    )
    finished(run(tab, 1, code))
    slider(tab, "n").evaluate(
        "input => { for (let n = 1; n <= 100; n++) {"
        " input.value = n; input.dispatchEvent(new Event('input')) } }"
    )
    expect(area(tab)).to_contain_text("n is 100", timeout=PATIENCE)
    settled(tab)
    expect(run(tab, 2, "print(computed)")).to_contain_text("[0, 1, 100]", timeout=PATIENCE)


def test_nothing_flickers_while_a_plot_is_dragged(tab: Tab) -> None:
    code = "@interact\ndef f(n=slider(1, 20)): return plot(sin(n*x), (x, 0, 3), figsize=4)"
    finished(run(tab, 1, code))
    expect(tab.locator(".area img")).to_be_visible(timeout=PATIENCE)
    before = area(tab).bounding_box()
    assert before is not None
    tab.evaluate(WATCH)
    slider(tab, "n").focus()
    for _ in range(12):
        tab.keyboard.press("ArrowRight")
        tab.wait_for_timeout(60)
    expect(slider(tab, "n")).to_have_attribute("aria-valuetext", "13")
    settled(tab)
    seen = tab.evaluate("() => ({ ...window.seen, stopped: cancelAnimationFrame(seen.next) })")
    assert seen["frames"] > 10
    assert seen["empty"] == 0
    assert seen["least"] >= before["height"] - 1


def test_every_control_can_be_used(tab: Tab) -> None:
    finished(run(tab, 1, EVERYTHING))
    expect(area(tab)).to_contain_text("5 (3, 8) a 1 x False text sqrt(2) -2 #ff0000 False")
    tab.get_by_label("one", exact=True).select_option("b")
    tab.get_by_role("group", name="few").get_by_role("button", name="3").click()
    tab.get_by_role("radio", name="y").check()
    tab.get_by_role("checkbox", name="tick").check()
    tab.get_by_role("textbox", name="t", exact=True).fill("words")
    tab.get_by_role("textbox", name="e", exact=True).fill("1/2 + 1/3")
    tab.get_by_role("textbox", name="m, row 2, column 1").fill("5")
    tab.get_by_label("c", exact=True).fill("#00ff00")
    slider(tab, "r, to").fill("12")
    slider(tab, "n").fill("7")
    tab.get_by_role("button", name="Press me").click()
    expect(area(tab)).to_contain_text("7 (3, 12) b 3 y True words 5/6 -6 #00ff00 True",
                                      timeout=PATIENCE)
    slider(tab, "n").fill("8")
    expect(area(tab)).to_contain_text("8 (3, 12) b 3 y True words 5/6 -6 #00ff00 False",
                                      timeout=PATIENCE)
    expect(tab.get_by_role("heading", name="About")).to_be_visible()


def test_the_ends_of_a_range_stay_in_order(tab: Tab) -> None:
    finished(run(tab, 1, "@interact\ndef f(r=range_slider(0, 20, 1, (3, 8))): print(r)"))
    slider(tab, "r, from").fill("15")
    expect(area(tab)).to_contain_text("(8, 8)", timeout=PATIENCE)
    slider(tab, "r, to").fill("2")
    settled(tab)
    expect(area(tab)).to_contain_text("(8, 8)")


def test_with_the_keyboard_alone(tab: Tab) -> None:
    code = "@interact\ndef f(n=slider(0, 9), t='a', go=button('Go')): print(n, t, go)"
    finished(run(tab, 1, code, keys="Control+Enter"))
    tab.keyboard.press("Escape")
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("button", name="Run", exact=True)).to_be_focused()
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("button", name="Actions of cell 1")).to_be_focused()
    tab.keyboard.press("Tab")
    expect(slider(tab, "n")).to_be_focused()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Control+a")
    tab.keyboard.type("b")
    tab.keyboard.press("Enter")
    expect(area(tab)).to_contain_text("2 b False", timeout=PATIENCE)
    tab.keyboard.press("Tab")
    tab.keyboard.press("Space")
    expect(area(tab)).to_contain_text("2 b True", timeout=PATIENCE)


def test_the_update_button_is_waited_for(tab: Tab) -> None:
    finished(run(tab, 1, "@interact\ndef f(n=slider(0, 9), auto_update=False): print('n is', n)"))
    slider(tab, "n").fill("4")
    place = run(tab, 2, "print('meanwhile')")
    expect(place).to_contain_text("meanwhile", timeout=PATIENCE)
    expect(area(tab)).to_contain_text("n is 0")
    tab.get_by_role("button", name="Update").click()
    expect(area(tab)).to_contain_text("n is 4", timeout=PATIENCE)


def test_the_last_state_survives_a_reload_without_being_computed_again(tab: Tab) -> None:
    finished(run(tab, 1, "calls = 0\n" + COUNTER + "; global calls; calls += 1"))
    slider(tab, "n").fill("42")
    expect(area(tab)).to_contain_text("n is 42", timeout=PATIENCE)
    tab.reload()
    expect(area(tab)).to_contain_text("n is 42", timeout=PATIENCE)
    expect(slider(tab, "n")).to_have_attribute("aria-valuetext", "42")
    expect(run(tab, 2, "calls")).to_contain_text("2", timeout=PATIENCE)
    slider(tab, "n").fill("43")
    expect(area(tab)).to_contain_text("n is 43", timeout=PATIENCE)


def test_a_second_tab_sees_controls_move(tab: Tab, context: BrowserContext) -> None:
    finished(run(tab, 1, "@interact\ndef f(n=slider(0, 9), t='a'): print(n, t)"))
    other = context.new_page()
    other.goto(tab.url)
    expect(area(other)).to_contain_text("0 a", timeout=PATIENCE)
    slider(tab, "n").fill("7")
    expect(slider(other, "n")).to_have_attribute("aria-valuetext", "7", timeout=PATIENCE)
    expect(area(other)).to_contain_text("7 a", timeout=PATIENCE)
    other.get_by_role("textbox", name="t", exact=True).fill("b")
    other.keyboard.press("Enter")
    expect(area(tab)).to_contain_text("7 b", timeout=PATIENCE)
    expect(tab.get_by_role("textbox", name="t", exact=True)).to_have_value("b")


def test_what_is_being_typed_is_not_overwritten(tab: Tab, context: BrowserContext) -> None:
    finished(run(tab, 1, "@interact\ndef f(n=slider(0, 9), t='a'): print(n, t)"))
    other = context.new_page()
    other.goto(tab.url)
    expect(area(other)).to_contain_text("0 a", timeout=PATIENCE)
    box = other.get_by_role("textbox", name="t", exact=True)
    box.press("End")
    box.press_sequentially("bc")
    slider(tab, "n").fill("7")
    expect(area(other)).to_contain_text("7 a", timeout=PATIENCE)
    expect(box).to_have_value("abc")
    box.press("Enter")
    expect(area(tab)).to_contain_text("7 abc", timeout=PATIENCE)


def test_after_its_session_an_interact_is_seen_but_not_moved(tab: Tab) -> None:
    finished(run(tab, 1, COUNTER, keys="Control+Enter"))
    slider(tab, "n").fill("42")
    expect(area(tab)).to_contain_text("n is 42", timeout=PATIENCE)
    tab.get_by_role("button", name="Restart session").click()
    for reload in (False, True):
        if reload:
            tab.reload()
        expect(slider(tab, "n")).to_be_disabled(timeout=PATIENCE)
        expect(slider(tab, "n")).to_have_attribute("aria-valuetext", "42")
        expect(output(tab, 1)).to_contain_text("The session has ended: run the cell again")
        expect(area(tab)).to_contain_text("n is 42")
    editor(tab, 1).click()
    tab.keyboard.press("Control+Enter")
    expect(slider(tab, "n")).to_be_enabled(timeout=PATIENCE)
    slider(tab, "n").fill("7")
    expect(area(tab)).to_contain_text("n is 7", timeout=PATIENCE)


def test_a_session_that_dies_while_it_updates(tab: Tab) -> None:
    code = "import os\n@interact\ndef f(n=slider(0, 9)):\n    if n: os._exit(3)\n    print(n)"
    finished(run(tab, 1, code))
    slider(tab, "n").fill("1")
    expect(area(tab)).to_contain_text("The session ended: exit code 3", timeout=PATIENCE)
    expect(slider(tab, "n")).to_be_disabled()
    settled(tab)


def test_interrupt_stops_an_update(tab: Tab) -> None:
    code = "@interact\ndef f(n=slider(0, 9)):\n    print('n is', n)\n    while n == 1: pass"
    finished(run(tab, 1, code))
    slider(tab, "n").fill("1")
    expect(area(tab)).to_contain_text("n is 1", timeout=PATIENCE)
    expect(output(tab, 1)).to_contain_text("updating …", timeout=PATIENCE)
    tab.get_by_role("button", name="Interrupt").click()
    expect(area(tab)).to_contain_text("KeyboardInterrupt", timeout=PATIENCE)
    slider(tab, "n").fill("2")
    expect(area(tab)).to_contain_text("n is 2", timeout=PATIENCE)
    expect(area(tab)).not_to_contain_text("KeyboardInterrupt")


def test_nested_interacts(tab: Tab) -> None:
    code = (
        "@interact\ndef outer(n=slider(1, 9)):\n    print('outer', n)\n"
        "    @interact\n    def inner(k=slider(1, 9)): print('inner', n*k)\n    print('end')"
    )
    finished(run(tab, 1, code))
    slider(tab, "k").fill("4")
    expect(output(tab, 1)).to_contain_text("inner 5", timeout=PATIENCE)
    slider(tab, "n").fill("2")
    expect(output(tab, 1)).to_contain_text("inner 3", timeout=PATIENCE)
    expect(slider(tab, "k")).to_have_count(1)
    slider(tab, "k").fill("8")
    expect(output(tab, 1)).to_contain_text("inner 27", timeout=PATIENCE)
    tab.reload()
    expect(output(tab, 1)).to_contain_text("inner 27", timeout=PATIENCE)
    expect(slider(tab, "k")).to_have_attribute("aria-valuetext", "9")


def test_what_is_moved_while_the_server_is_away_is_not_lost(tab: Tab, site: RunningSite) -> None:
    finished(run(tab, 1, COUNTER))
    expect(area(tab)).to_contain_text("n is 0")
    kill_all(site.processes("gunicorn"))
    slider(tab, "n").fill("42")
    expect(area(tab)).to_contain_text("n is 42", timeout=PATIENCE)
    settled(tab)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_interacts_fit_a_phone(tab: Tab, scheme: Any) -> None:
    tab.emulate_media(color_scheme=scheme)
    finished(run(tab, 1, EVERYTHING))
    tab.set_viewport_size({"width": 360, "height": 740})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    for each in tab.locator(".interact :is(input, select, button)").all():
        box = each.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
