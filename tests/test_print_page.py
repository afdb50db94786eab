"""A worksheet on paper."""

from __future__ import annotations

import re

from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.browser import PATIENCE, editor, type_into
from tests.test_cells_page import saved

LINES = 300  # more than the page shows at once


def test_it_is_whole_and_has_nothing_to_press(tab: Tab) -> None:
    type_into(tab, 1, f"for i in range({LINES}): print(i)")
    tab.keyboard.press("Control+Enter")
    output = tab.get_by_role("region", name="Output of cell 1")
    expect(output).to_contain_text(str(LINES - 1), timeout=PATIENCE)
    saved(tab)
    tab.emulate_media(media="print", color_scheme="dark")
    expect(tab.get_by_role("button")).to_have_count(0)
    expect(editor(tab, 1)).to_be_visible()
    assert output.evaluate("e => e.scrollHeight <= e.clientHeight + 1")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(0, 0, 0)"
    data = tab.pdf(format="A4")
    assert data.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", data)) > 1
