"""Catalogues: what is read from a .po file, what of it is used, and how it is refused."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from app import words
from app.said import SAID
from app.settings import ROOT, SettingsError
from app.words import Words
from tests.host import settings_in

Reader = Callable[..., Words]
HEADER = r'''msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\n"
"Plural-Forms: nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 ||"
" n%100>=20) ? 1 : 2);\n"
'''
POT = '''
#: app/templates/a.html
msgid "Hello %(name)s"
msgstr ""

#: app/templates/a.html
msgid "%(num)d cell"
msgid_plural "%(num)d cells"
msgstr[0] ""
msgstr[1] ""

#: app/static/js/a.js
msgid "Cell {number}"
msgstr ""

#: app/static/js/a.js
msgid "{count} line"
msgid_plural "{count} lines"
msgstr[0] ""
msgstr[1] ""

#: app/static/js/a.js app/templates/a.html
msgid "Close"
msgstr ""

#: app/said.py
msgid "limit of {what}: used {used} of {allowed}"
msgstr ""

#: app/said.py
msgid "{why}; try again in a moment"
msgstr ""

#: app/said.py
msgid "memory"
msgstr ""
'''


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Words of a catalogue with this text, for the few messages above."""
    template, file = tmp_path / "messages.pot", tmp_path / "xx.po"
    template.write_text(POT, encoding="utf-8")
    monkeypatch.setattr(words, "TEMPLATE", template)

    def of(text: str, header: str = HEADER) -> Words:
        file.write_text(header + text, encoding="utf-8")
        return words.read(file, "xx")

    return of


def test_without_a_catalogue_it_is_english() -> None:
    english = Words()
    assert english.gettext("Close") == "Close"
    assert english.ngettext("a cell", "cells", 2) == "cells"
    assert (english.tag, english.direction, english.script) == ("en", "ltr", "")


@pytest.mark.parametrize(("count", "form"), [(1, "jeden"), (3, "kilka"), (5, "wiele")])
def test_plurals_follow_the_rule_of_the_language(read: Reader, count: int, form: str) -> None:
    found = read(
        'msgid "%(num)d cell"\nmsgid_plural "%(num)d cells"\n'
        'msgstr[0] "jeden"\nmsgstr[1] "kilka"\nmsgstr[2] "wiele"\n'
    )
    assert found.ngettext("%(num)d cell", "%(num)d cells", count) == form


def test_scripts_get_their_part_and_no_more(read: Reader) -> None:
    found = read(
        'msgid "Hello %(name)s"\nmsgstr "Hej %(name)s"\n'
        'msgid "Cell {number}"\nmsgstr "Cela {number}"\n'
        'msgid "Close"\nmsgstr "Zamknij"\nmsgid "Nothing of ours"\nmsgstr "x"\n'
    )
    assert '"Cell {number}":["Cela {number}"]' in found.script
    assert '"Close":["Zamknij"]' in found.script
    assert "Hej" not in found.script
    assert found.gettext("Nothing of ours") == "Nothing of ours"
    assert re.fullmatch("[0-9a-f]{12}", found.script_name)


@pytest.mark.parametrize(
    ("original", "translation"),
    [
        ("Hello %(name)s", "Hej %(nam)s"),
        ("Hello %(name)s", "Hej %(name)s, 100 % x"),
        ("Hello %(name)s", "Hej %s %s"),
        ("Hello %(name)s", "Hej %(name)q"),
        ("Cell {number}", "Cela {numer}"),
        ("Close", "Zamknij %(what)s"),
    ],
)
def test_a_translation_with_other_values_is_not_used(
    read: Reader, original: str, translation: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = read(f'msgid "{original}"\nmsgstr "{translation}"\n')
    assert found.gettext(original) == original
    assert translation not in found.script
    assert "English is shown" in caplog.text


def test_fuzzy_and_empty_translations_are_not_used(read: Reader) -> None:
    found = read('#, fuzzy\nmsgid "Close"\nmsgstr "Otwórz"\nmsgid "Cell {number}"\nmsgstr ""\n')
    assert found.gettext("Close") == "Close"
    assert '"texts":{}' in found.script


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('msgid "Close"\nmsgstr "Zam"knij"\n', r"xx\.po, line 7: .*two quotes.*msgfmt -c"),
        ('msgid "Close"\nmsgstr "Zamknij\n', r"xx\.po, line 7"),
        ('msgid "Close"\nmsgsrt "Zamknij"\n', r"xx\.po, line 7"),
        ('msgid "Close"\nZamknij\n', r"xx\.po, line 7"),
    ],
)
def test_a_broken_catalogue_is_refused_by_its_line(read: Reader, text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        read(text)


@pytest.mark.parametrize("rule", ["nplurals=2; plural=exit();", "nplurals=2; plural=n +;"])
def test_a_rule_of_plurals_is_refused_that_is_none(read: Reader, rule: str) -> None:
    header = f'msgid ""\nmsgstr ""\n"Plural-Forms: {rule}\\n"\n'
    with pytest.raises(SettingsError, match=r"xx\.po: its Plural-Forms"):
        read('msgid "Close"\nmsgstr "Zamknij"\n', header)


def test_a_language_that_is_not_there_is_refused_with_what_is(tmp_path: Path) -> None:
    (tmp_path / "pl.po").write_text(HEADER)
    with pytest.raises(SettingsError, match=r"expected de\.po in .*, where there is pl; .*docs/"):
        words.of_site(settings_in(tmp_path, site_language="de", site_translations=str(tmp_path)))
    there = settings_in(tmp_path, site_language="pl", site_translations=str(tmp_path))
    assert words.of_site(there).language == "pl"


@pytest.mark.parametrize(
    ("language", "tag", "direction"),
    [("de", "de", "ltr"), ("pt_BR", "pt-BR", "ltr"), ("ar", "ar", "rtl"), ("xx", "xx", "ltr")],
)
def test_a_language_has_a_direction(language: str, tag: str, direction: str) -> None:
    found = Words(language)
    assert (found.tag, found.direction) == (tag, direction)


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("memory", "pamięć"),
        ("limit of memory: used 1.2 GB of 1.0 GB", "granica 1.0 GB (pamięć): 1.2 GB"),
        ("limit of memory: used 2 of 1; try again in a moment", "granica 1 (pamięć): 2, potem"),
        ("nobody knows; try again in a moment", "nobody knows, potem"),
        ("something else", "something else"),
        ("", ""),
    ],
)
def test_what_is_said_below_the_pages_is_recognised(
    read: Reader, text: str, translation: str
) -> None:
    found = read(
        'msgid "limit of {what}: used {used} of {allowed}"\n'
        'msgstr "granica {allowed} ({what}): {used}"\n'
        'msgid "{why}; try again in a moment"\nmsgstr "{why}, potem"\n'
        'msgid "memory"\nmsgstr "pamięć"\n'
    )
    assert found.said(text) == translation
    assert Words().said(text) == text


def literals() -> str:
    """All that is said in the sources below the pages."""
    found = []
    for path in [*(ROOT / "app").glob("*.py"), *(ROOT / "app").glob("[sw]*/*.py")]:
        if path.name == "said.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def test_what_is_recognised_is_said_somewhere() -> None:
    sources = literals()
    for text in SAID:
        for part in re.split(r"\{\w+\}", text):
            assert part.strip(" ().") in sources, f"{part!r} of {text!r}"


def marked() -> list[Path]:
    return [path for path in (ROOT / "app" / "web").glob("*.py") if "import _" in path.read_text()]


@pytest.mark.parametrize("path", marked(), ids=lambda path: path.name)
def test_nothing_else_is_called_as_translations_are(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name) and node.id == "_":
            line = f"{path.name}, line {node.lineno}"
            assert isinstance(node.ctx, ast.Load), f"{line}: _ is what translates here"
