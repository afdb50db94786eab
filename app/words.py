"""What people read, in the language of the site.

English stands in the sources, and is the key by which a translation is found: a gettext
catalogue, LANGUAGE.po, read once at start. `app/languages/messages.pot` has all texts there are
(`make words`), and says by their places which of them scripts on the page need.

What is said below the pages (app/said.py) is recognised by its words, and its values are filled
into the translation.

A translation may leave out values of the original, but can't have others: such a one is not
used, so that it breaks no page.
"""

from __future__ import annotations

import gettext
import hashlib
import io
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages import Catalog, Message, pofile

from app.settings import ROOT, Settings, SettingsError

LANGUAGES = ROOT / "app" / "languages"
TEMPLATE = LANGUAGES / "messages.pot"
ENGLISH = "en"
CURE = "msgfmt -c finds such faults, too"
QUOTED = re.compile(r'(msg(ctxt|id|id_plural|str|str\[\d+\])\s+)?"([^"\\]|\\.)*"')
IN_SCRIPTS = re.compile(r"\{(\w+)\}")
SAID = "app/said.py"

Forms = tuple[str, ...]  # of a text: one, or as many as the language has for numbers

log = logging.getLogger("salvus.words")


def N_(text: str) -> str:
    """Mark a text that is translated where it is shown."""
    return text


@dataclass(frozen=True)
class Words:
    """The catalogue of one language; without translations what it says is English."""

    language: str = ENGLISH
    texts: Mapping[str, Forms] = field(default_factory=dict)  # by the English of the first form
    form: Callable[[int], int] = int  # the place of the one for so many
    patterns: Mapping[str, re.Pattern[str]] = field(default_factory=dict)  # of what is said
    script: str = ""  # that gives the page's own scripts their part

    @property
    def tag(self) -> str:
        """As browsers name the language: pt-BR."""
        return self.language.replace("_", "-")

    @property
    def locale(self) -> Locale:
        """By which dates and figures are written."""
        if self.language == ENGLISH:
            return Locale("en", "GB")
        try:
            return Locale.parse(self.tag, sep="-")
        except (UnknownLocaleError, ValueError):
            return Locale("en", "GB")

    @property
    def direction(self) -> str:
        """ltr or rtl."""
        return self.locale.text_direction

    @property
    def script_name(self) -> str:
        """It changes with the script; empty if there is none."""
        return self.script and hashlib.sha256(self.script.encode()).hexdigest()[:12]

    def gettext(self, text: str) -> str:
        return self.texts[text][0] if text in self.texts else text

    def ngettext(self, one: str, many: str, count: float) -> str:
        if one not in self.texts:
            return one if count == 1 else many
        forms = self.texts[one]
        return forms[min(self.form(int(count)), len(forms) - 1)]

    def said(self, text: str) -> str:
        """What comes from below the pages, in this language as far as it is known."""
        if text in self.texts:
            return self.texts[text][0]
        for original, pattern in self.patterns.items():
            if found := pattern.fullmatch(text):
                return self._filled(self.texts[original][0], found.groupdict())
        return text

    def _filled(self, text: str, values: Mapping[str, str]) -> str:
        return IN_SCRIPTS.sub(lambda place: self.said(values[place[1]]), text)


def of_site(settings: Settings) -> Words:
    """The words that `settings` ask for. Raises SettingsError."""
    language = settings.site.language
    folder = Path(settings.site.translations or LANGUAGES).expanduser()
    if language == ENGLISH and not (folder / "en.po").exists():
        return Words()
    try:
        return read(folder / f"{language}.po", language)
    except FileNotFoundError:
        found = ", ".join(sorted(path.stem for path in folder.glob("*.po"))) or "none"
        raise SettingsError(
            f"{settings.file}: site.language = {language!r}: expected {language}.po in {folder},"
            f" where there is {found}; docs/TRANSLATING.md says how to make it"
        ) from None


def read(file: Path, language: str) -> Words:
    """The words of a .po file. Raises SettingsError, FileNotFoundError."""
    theirs = _read_po(file)
    try:
        form = gettext.c2py(theirs.plural_expr)
    except ValueError as error:
        raise SettingsError(f"{file}: its Plural-Forms can't be used: {error}; {CURE}") from None
    used: dict[str, Forms] = {}
    scripts: dict[str, Forms] = {}
    said: list[str] = []
    for original in _read_po(TEMPLATE):
        found = theirs.get(original.id) if original.id else None
        if found is None or found.fuzzy or not all(_forms(found.string) or ("",)):
            continue
        places = {place for place, _ in original.locations}
        in_scripts = any(place.endswith(".js") or place == SAID for place in places)
        in_pages = any(not place.endswith(".js") and place != SAID for place in places)
        if foreign := _foreign(original, found, in_scripts, in_pages):
            log.warning("%s, line %s: %s; English is shown", file, found.lineno, foreign)
            continue
        key = _forms(original.id)[0]
        used[key] = _forms(found.string)
        if in_scripts:
            scripts[key] = used[key]
        if SAID in places and IN_SCRIPTS.search(key):
            said.append(key)
    said.sort(key=lambda text: len(IN_SCRIPTS.sub("", text)), reverse=True)  # the plainest first
    patterns = {text: _pattern(text) for text in said}
    return Words(language, used, form, patterns, _script(scripts, said, theirs.plural_expr))


def _read_po(file: Path) -> Catalog:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: is not UTF-8: {error.reason} at byte {error.start}") from None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(("msg", '"')) and not QUOTED.fullmatch(line.rstrip()):
            raise SettingsError(
                f"{file}, line {number}: expected a text between two quotes, with \\ before quotes"
                f" inside of it: {line!r}; {CURE}"
            )
    try:
        return pofile.read_po(io.StringIO(text), abort_invalid=True)
    except pofile.PoFileError as error:
        what = str(error).removesuffix(f" on {error.lineno}")
        raise SettingsError(f"{file}, line {error.lineno + 1}: {what}; {CURE}") from None
    except (ValueError, TypeError) as error:
        raise SettingsError(f"{file}: is no gettext catalogue: {error}; {CURE}") from None


def _forms(string: str | Sequence[str] | None) -> Forms:
    """Of a message with or without plurals."""
    return (string,) if isinstance(string, str) else tuple(string or ())


def _pattern(text: str) -> re.Pattern[str]:
    """Finds the values of a text that has them as {name}."""
    parts = IN_SCRIPTS.split(text)
    plain, names = parts[::2], parts[1::2]
    values = [f"(?P<{name}>.+?)" for name in names] + [""]
    return re.compile("".join(re.escape(a) + b for a, b in zip(plain, values, strict=True)), re.S)


def _foreign(original: Message, found: Message, in_scripts: bool, in_pages: bool) -> str:
    """What a translation has that can't be filled in, in words."""
    known = " ".join(_forms(original.id))
    for text in _forms(found.string):
        if in_scripts and (names := set(IN_SCRIPTS.findall(text)) - set(IN_SCRIPTS.findall(known))):
            return f"the original has no {{{min(names)}}}"
        if in_pages:
            values: Mapping[str, float] = dict.fromkeys(re.findall(r"%\((\w+)\)", known), 0)
            try:
                text % values
            except KeyError as error:
                return f"the original has no %({error.args[0]})s"
            except (ValueError, TypeError) as error:
                return f"{error}; a sign % of the text's own is %%"
    return ""


def _script(texts: Mapping[str, Forms], said: Sequence[str], plural: str) -> str:
    """For app/static/js/words.js; `plural`: an expression of C, which is one of JavaScript."""
    found = json.dumps({"texts": texts, "said": said}, ensure_ascii=False, separators=(",", ":"))
    return f"globalThis.salvusWords={{...{found},form:n=>Number({plural})}}\n"
