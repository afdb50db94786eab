"""The examples and the first worksheet: each is executed with the real Sage."""

from __future__ import annotations

import pytest

from app import guide
from app.guide import Example
from app.wire.messages_pb2 import Finished, Frame, Stream
from tests.page_client import Page, SignedIn

SHOWN = ("stream", "bundle", "interact")


def heard(page: Page, run: str) -> list[Frame]:
    return [frame for frame in page.frames() if frame.run == run]


def executed(page: Page, code: str) -> str:
    """What is wrong with code that is run; empty: nothing."""
    run = page.start(code)
    finished = page.finish(run)
    frames = heard(page, run)
    errors = [f"{f.traceback.name}: {f.traceback.value}" for f in frames if f.HasField("traceback")]
    warned = [f.stream.text for f in frames if f.stream.name == Stream.STDERR]
    if finished.status != Finished.OK or errors or warned:
        return " ".join(errors + warned) or "failed"
    if not any(frame.WhichOneof("content") in SHOWN for frame in frames):
        return "it shows nothing"
    return ""


def test_each_example_shows_something_and_no_error(person: SignedIn) -> None:
    wrong = {}
    page = Page(person, person.new_worksheet())
    for subject in guide.subjects():
        for example in subject.examples:
            page.run("reset()")  # what others have defined
            if found := executed(page, example.code):
                wrong[f"{subject.title}: {example.title}"] = found
    page.close()
    assert wrong == {}


def test_the_first_worksheet_runs_from_top_to_bottom(page: Page) -> None:
    cells = [part.code for part in guide.first().parts if part.kind == "code"]
    assert len(cells) > 8
    wrong = {code: found for code in cells if (found := executed(page, code))}
    assert wrong == {}


def test_titles_are_unique_and_every_subject_has_several_examples() -> None:
    titles = [
        (subject.title, each.title) for subject in guide.subjects() for each in subject.examples
    ]
    assert len(set(titles)) == len(titles)
    assert len(titles) > 70
    assert all(len(subject.examples) > 3 for subject in guide.subjects())


@pytest.mark.parametrize(
    ("program", "example"),
    [
        (
            "# %% [markdown]\n# # S\n# %% [markdown]\n# ## A\n# %%\n1 + 1\n",
            Example("A", "", "1 + 1"),
        ),
        (
            "# %% [markdown]\n# # S\n# %% [markdown]\n# ## A\n# With $x$.\n# %%\nx\n",
            Example("A", "With $x$.", "x"),
        ),
    ],
)
def test_an_example_is_a_text_and_the_code_below_it(program: str, example: Example) -> None:
    assert guide.read(program) == guide.Subject("S", (example,))
