"""Moments as they are given at the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

SPAN = re.compile(r"(\d+(?:\.\d+)?) *(s|min|h|d)")
UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


class Moment(click.ParamType[datetime]):
    """A time, or how long ago it was."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, context: click.Context | None
    ) -> datetime:
        text = str(value)
        if span := SPAN.fullmatch(text):
            ago = timedelta(seconds=float(span[1]) * UNITS[span[2]])
            return datetime.now(UTC) - ago
        try:
            return datetime.fromisoformat(text).astimezone()
        except (ValueError, OverflowError):
            self.fail(
                f"{text!r}: expected how long ago, as 30s, 10min, 2h or 7d,"
                " or a time, as 2026-01-31T08:00",
                param,
                context,
            )
