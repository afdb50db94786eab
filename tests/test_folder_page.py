"""The panel with a worksheet's files, as people use it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, Route, expect
from playwright.sync_api import Page as Tab

from tests.browser import finished, output, run

MEGABYTES = 3


def open_panel(tab: Tab) -> Locator:
    tab.get_by_role("button", name="Worksheet menu").click()
    tab.get_by_role("menuitemcheckbox", name="Files").click()
    panel = tab.get_by_role("complementary", name="Files")
    expect(panel).to_be_visible()
    return panel


def choose(tab: Tab, panel: Locator, path: Path) -> None:
    with tab.expect_file_chooser() as choosing:
        panel.get_by_role("button", name="Upload files").click()
    choosing.value.set_files(path)


def test_files_are_uploaded_used_renamed_and_deleted(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "numbers.txt").write_text("1 2 3")
    panel = open_panel(tab)
    expect(panel).to_contain_text("Code opens them by name")
    choose(tab, panel, tmp_path / "numbers.txt")
    files = panel.get_by_role("list", name="Files of this worksheet")
    expect(files.get_by_role("link", name="numbers.txt")).to_be_visible()
    finished(run(tab, 1, "print(sum(map(int, open('numbers.txt').read().split())) + 100)"))
    expect(output(tab, 1)).to_have_text("106\n")
    finished(run(tab, 2, "open('made.csv', 'w').write('4')"))
    with tab.expect_download() as download:
        files.get_by_role("link", name="made.csv").click()
    assert download.value.path().read_text() == "4"
    tab.once("dialog", lambda dialog: dialog.accept("plots/figures.txt"))
    files.get_by_role("button", name="Rename numbers.txt").click()
    expect(files.get_by_role("link", name="plots/figures.txt")).to_be_visible()
    tab.once("dialog", lambda dialog: dialog.accept())
    files.get_by_role("button", name="Delete made.csv").click()
    expect(files.get_by_role("link", name="made.csv")).to_have_count(0)
    expect(panel.get_by_role("meter")).to_have_attribute("value", "5")


def test_files_are_dropped_and_pasted(tab: Tab) -> None:
    for kind, name in (("drop", "dropped.txt"), ("paste", "pasted.png")):
        tab.evaluate(
            """([kind, name]) => {
                const data = new DataTransfer()
                data.items.add(new File(["0123"], name))
                const init = { bubbles: true, cancelable: true }
                const event = kind === "drop"
                    ? new DragEvent("drop", { ...init, dataTransfer: data })
                    : new ClipboardEvent("paste", { ...init, clipboardData: data })
                document.querySelector(".cm-content").dispatchEvent(event)
            }""",
            [kind, name],
        )
        panel = tab.get_by_role("complementary", name="Files")
        expect(panel.get_by_role("link", name=name)).to_be_visible()


def test_a_large_file_goes_on_after_the_network_was_away(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(b"x" * MEGABYTES * 1_000_000)
    panel = open_panel(tab)
    sent: list[str] = []

    def some(route: Route) -> None:
        sent.append(route.request.url)
        if len(sent) in (2, 3, 4):
            route.abort()
        else:
            route.continue_()

    tab.route("**/uploads/**", some)
    choose(tab, panel, tmp_path / "big.bin")
    expect(panel.get_by_text("waiting for the network")).to_be_visible()
    expect(panel.get_by_role("link", name="big.bin")).to_be_visible(timeout=30_000)
    starts = [url.partition("start=")[2] for url in sent]
    assert starts.count("0") == 1  # nothing was sent twice but what was cut off
    expect(panel.get_by_role("listitem").filter(has_text="big.bin")).to_contain_text("3.0 MB")


def test_what_is_too_large_is_told(tab: Tab, tmp_path: Path) -> None:
    with open(tmp_path / "huge.bin", "wb") as huge:
        huge.truncate(101_000_000)
    panel = open_panel(tab)
    choose(tab, panel, tmp_path / "huge.bin")
    expect(panel.get_by_role("alert")).to_contain_text("delete something first")
