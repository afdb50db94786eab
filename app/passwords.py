"""What people choose for themselves: names to sign in by and passwords.

Hashing is meant to be slow and to take memory, and blocks in C: it is done in native threads,
a few at a time, and everybody else waits in line for one.
"""

from __future__ import annotations

import re

import argon2
from gevent.threadpool import ThreadPool

THREADS = 2  # at 64 MiB each
SHORTEST, LONGEST = 10, 1000  # characters
LOGIN = re.compile(r"[\w.@+-]{1,100}")


class BadChoice(Exception):
    """A name or a password that will not do; the text says why, for the person."""


def check(login: str, password: str) -> None:
    """Raises BadChoice."""
    if not LOGIN.fullmatch(login):
        raise BadChoice("The name to sign in by has 1 to 100 letters, digits or . @ + - _")
    if len(password) < SHORTEST:
        raise BadChoice(f"A password has {SHORTEST} characters or more; a few words do well.")
    if len(password) > LONGEST:
        raise BadChoice(f"A password has at most {LONGEST} characters.")
    if password.lower() == login.lower() or len(set(password)) < 4:
        raise BadChoice("That password is the first that somebody would guess.")


class Passwords:
    def __init__(self) -> None:
        self._hasher = argon2.PasswordHasher()
        self._threads = ThreadPool(THREADS)
        self._nobody = ""  # the hash for names that nobody has, so that these take as long

    def hash(self, password: str) -> str:
        return str(self._threads.apply(self._hasher.hash, (password,)))

    def verify(self, hash: str | None, password: str) -> bool:
        """Whether `password` is the one of `hash`; None: of nobody, which takes as long."""
        self._nobody = self._nobody or self.hash("nobody has this password")
        right: bool = self._threads.apply(self._verify, (hash or self._nobody, password))
        return right and hash is not None

    def _verify(self, hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(hash, password[: LONGEST + 1])
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
