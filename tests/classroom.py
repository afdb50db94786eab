"""A class on a running site, in which something has happened, to be looked at."""

from __future__ import annotations

import json
import re
from typing import Any

import requests

from tests.page_client import PATIENCE, Page, SignedIn
from tests.running_site import RunningSite

PASSWORD = "correct horse battery"
SHEET = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"salvus": {"title": "Rings of integers"}},
    "cells": [
        {"cell_type": "markdown", "id": "a", "metadata": {},
         "source": "Let $K = \\mathbf{Q}(\\sqrt{-5})$. Show that $6$ has two factorisations."},
        {"cell_type": "code", "id": "b", "metadata": {}, "source": "K.<a> = QuadraticField(-5)",
         "outputs": [], "execution_count": None},
    ],
}  # fmt: skip
ANSWER = "K.<a> = QuadraticField(-5)\nprint((1 + a) * (1 - a) == 2 * 3)\nK.class_number()"
LATER = "2099-12-31T23:59"


class Classroom:
    """The site's owner teaches Algebra I; Ada and Emmy attend, and Ada's answer is returned."""

    def __init__(self, site: RunningSite) -> None:
        self._site = site
        self.teacher = SignedIn(site.new_address())
        form = {"title": "Algebra I", "zone": "Europe/Berlin"}
        self.path = _post(self.teacher, "/classes", **form).headers["Location"]
        _post(self.teacher, f"{self.path}/codes", seats="30", days="14")
        shown = self._get(self.path)
        self.code = re.findall(r'class="code" href="/join/(\w+)"', shown)[0]
        self.ada, _ = (self.new_student(name) for name in ("Ada", "Emmy"))
        self.handout = self.hand_out()
        self.second = self.hand_out("Ideals and units")
        self._work()
        _post(self.teacher, f"{self.handout}/collect")
        shown = self._get(self.handout)
        self.copy = re.findall(r'href="([^"]+)" aria-label="What was collected of Ada', shown)[0]
        said = {"overall": "Well done: $h_K = 2$ says *why*.", "cell-1": "And are these **units**?"}
        _post(self.teacher, self.copy, **said, then="return")

    def new_student(self, name: str) -> SignedIn:
        """Somebody joins by the code."""
        made = SignedIn(self._site.new_address())
        made.http.cookies.clear()
        login = f"{name}-{self.code}".lower()
        _post(made, f"/join/{self.code}", name=name, login=login, password=PASSWORD)
        return made

    def hand_out(self, title: str = "") -> str:
        """A worksheet for all; the path of the handout."""
        sheet: dict[str, Any] = {**SHEET}
        if title:
            sheet["metadata"] = {"salvus": {"title": title}}
        file = {"file": ("sheet.ipynb", json.dumps(sheet))}
        imported = self.teacher.http.post(
            f"{self.teacher.origin}/worksheets/import", files=file, timeout=PATIENCE,
            headers={"Origin": self.teacher.origin}, allow_redirects=False,
        )  # fmt: skip
        worksheet = imported.headers["Location"].rpartition("/")[2]
        form = {"worksheet": worksheet, "deadline": LATER}
        return _post(self.teacher, f"{self.path}/handouts", **form).headers["Location"]

    def enter(self, handout: str, name: str) -> str:
        """The teacher enters somebody's copy; the worksheet."""
        (path,) = re.findall(rf'action="([^"]+/enter)"[^>]*><[^>]*of {name},', self._get(handout))
        return _post(self.teacher, path).headers["Location"].rpartition("/")[2]

    def _work(self) -> None:
        """Ada computes."""
        shown = self.ada.http.get(f"{self.ada.origin}{self.path}", timeout=PATIENCE).text
        (worksheet,) = re.findall(r'href="/w/([^"]+)">Rings of integers', shown)
        page = Page(self.ada, worksheet)
        cells = page.until(lambda message: message.HasField("worksheet")).worksheet.cells
        page.save(cells[1].id, ANSWER, 2.0)
        page.until(lambda message: message.HasField("cell_saved"))
        page.run(ANSWER, cell=cells[1].id)
        page.close()

    def _get(self, path: str) -> str:
        return self.teacher.http.get(f"{self.teacher.origin}{path}", timeout=PATIENCE).text


def _post(user: SignedIn, path: str, **form: str) -> requests.Response:
    answer = user.http.post(
        f"{user.origin}{path}", data=form, headers={"Origin": user.origin}, timeout=PATIENCE,
        allow_redirects=False,
    )  # fmt: skip
    assert answer.status_code == 303, answer.text
    return answer
