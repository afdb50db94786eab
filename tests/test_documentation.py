"""Help on objects as HTML, in a session with the real Sage."""

from __future__ import annotations

import uuid

import pytest

from app.wire.messages_pb2 import Inspect, InspectReply
from tests.page_client import Page


def inspect(page: Page, code: str, *, source: bool = False) -> InspectReply:
    request = str(uuid.uuid4())
    page.send(inspect=Inspect(request=request, code=code, cursor=len(code), source=source))
    return page.until(lambda m: m.inspect_reply.request == request).inspect_reply


def documented(page: Page, docstring: str) -> str:
    """Help on a function with this docstring."""
    whole = "Words.\n\n" + docstring
    page.run(f"def f(n=1):\n    return n\nf.__doc__ = {whole!r}")
    return inspect(page, "f").html


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("factor", ("<code>factor(n, proof=None", "sage/", "<code>n</code> -- nonzero integer",
                    r"factorization of \(n\)", "sage: factor(500)\n2^2 * 5^3")),
        ("EllipticCurve", (r"\[y^2 + a_1 xy", "<strong>")),  # a lazy import
        ("euler_phi", ("<code>euler_phi(n)</code>",)),
        ("matrix.identity", ("identity matrix",)),
        ("numpy.mean", ("<h4>Parameters</h4>", "array_like")),
    ],
)  # fmt: skip
def test_documentation_of_sage_is_rendered(page: Page, name: str, wanted: tuple[str, ...]) -> None:
    page.run("import numpy")
    html = inspect(page, name).html
    assert [each for each in wanted if each not in html] == []
    assert "TESTS" not in html
    assert "# needs" not in html
    assert "sage:\n" not in html


@pytest.mark.parametrize(
    ("docstring", "wanted"),
    [
        ("A `x^2` and $y_1$.", r"A \(x^2\) and \(y_1\)."),
        (".. MATH::\n\n    a &= b \\\\\n    &= c", r"\[\begin{aligned}a &amp;= b"),
        ("See :meth:`~sage.rings.ring.Ring.ideal`.", "See <code>ideal</code>."),
        (":wikipedia:`Prime_number`", 'href="https://en.wikipedia.org/wiki/Prime_number"'),
        (".. SEEALSO:: :func:`g`", "<strong>See also</strong>"),
        (".. WARNING::\n\n    Hot.", "<strong>Warning</strong>"),
        (".. PLOT::\n\n    sphere_plot(P)\n\nAfter.", "<p>After.</p>"),
        (":unknown:`role` stays", "role"),
        ("A <script>alert(1)</script>", "&lt;script&gt;"),
        (".. raw:: html\n\n    <b>no</b>\n\nAfter.", "<p>After.</p>"),
        (".. include:: /etc/passwd\n\nAfter.", "<p>After.</p>"),
    ],
)
def test_docstrings_of_ones_own_are_rendered(page: Page, docstring: str, wanted: str) -> None:
    html = documented(page, docstring)
    assert wanted in html
    assert "sphere_plot" not in html
    assert "<b>" not in html
    assert "root:" not in html


def test_what_has_no_docstring_has_text_only(page: Page) -> None:
    page.run("g = lambda n: n")
    reply = inspect(page, "g")
    assert reply.found
    assert reply.html == ""
    assert "Signature" in reply.text


def test_source_is_shown_when_it_is_asked_for(page: Page) -> None:
    assert "<pre>def next_prime(" in inspect(page, "next_prime", source=True).html


def test_a_question_mark_shows_the_same(page: Page) -> None:
    page.run("next_prime?")
    (html,) = [
        part.data.decode()
        for frame in page.frames()
        for part in frame.bundle.parts
        if part.type == "text/html"
    ]
    assert "sage: next_prime(5)\n7" in html
