"""A language in which every letter has an accent, so that a page shows what is not translated."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.pofile import read_po, write_po

from app import words

PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
ACCENTED = "ȧƀƈḓḗƒɠħīĵķŀḿƞǿƥɋřşŧŭṽẇẋẏẑȦƁƇḒḖƑƓĦĪĴĶĿḾȠǾƤɊŘŞŦŬṼẆẊẎẐ"
KEPT = re.compile(r"%\(\w+\)[sd]|%%|\{\w+\}|<[^<>]*>|&\w+;")  # values and elements
LETTERS = str.maketrans(PLAIN, ACCENTED)


def pseudo(text: str) -> str:
    """`text` with accents and the same values."""
    parts = KEPT.split(text)
    kept = [*KEPT.findall(text), ""]
    return "".join(part.translate(LETTERS) + value for part, value in zip(parts, kept, strict=True))


def write(folder: Path, language: str) -> None:
    """A catalogue of all texts that there are."""
    with open(words.TEMPLATE, encoding="utf-8") as file:
        catalog = read_po(file)
    for message in catalog:
        if not message.id:
            continue
        if isinstance(message.id, str):
            message.string = pseudo(message.id)
        else:
            message.string = tuple(map(pseudo, message.id))
    with open(folder / f"{language}.po", "wb") as made:
        write_po(made, catalog)
