"""Text set in columns from top to bottom, as Chinese and Japanese may be: told by how its characters stand, and turned to lie in lines."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from rag.reading.cleanup import HAN
from rag.reading.pdf.runs import Run

_WIDE = re.compile(rf"[{HAN}\u3000-\u30ff\ufe10-\ufe4f\uff00-\uffef]")
_LONGEST = 4
"""Characters that may stand beside each other inside a column: a year, a short number."""
_LEAST = 12
"""Characters in columns that make a page vertical, of which half are different."""
_PITCH = 1.4
"""Heights of a character, from one to the next of its column: rows of a table stand further apart."""


def parted(runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """(runs set in lines, columns of vertical text as lines, the rightmost column first).

    >>> column = [Run(sign, 100, 110, 200 - 11 * at, 210 - 11 * at) for at, sign in enumerate("山高水长人来船往日出而作")]
    >>> parted([Run("a line", 0, 60, 300, 310), *column])[1][0].text
    '山高水长人来船往日出而作'
    """
    chains = [chain for chain in _chains([run for run in runs if len(run.text) == 1 and _WIDE.match(run.text)]) if len(chain) >= 3]
    characters = [run.text for chain in chains for run in chain]
    if len(characters) < _LEAST or len(set(characters)) < 0.5 * min(len(characters), 60):
        return list(runs), []
    lines: list[Run] = []
    left = list(runs)
    for column in _columns(chains, runs):
        lines += _turned(column)
        left = [run for run in left if run not in column]
    return left, lines


def _chains(singles: Sequence[Run]) -> list[list[Run]]:
    """Characters that stand closely below each other."""
    chains: list[list[Run]] = []
    for run in sorted(singles, key=lambda run: -run.top):
        for chain in reversed(chains):
            last = chain[-1]
            under = abs((run.left + run.right) - (last.left + last.right)) < 0.7 * last.height
            if under and 0.6 * last.height < last.top - run.top < _PITCH * last.height:
                chain.append(run)
                break
        else:
            chains.append([run])
    return chains


def _columns(chains: Sequence[Sequence[Run]], runs: Sequence[Run]) -> list[list[Run]]:
    """The runs of each column, from right to left: the chains in one place, and what else stands between and below them."""
    places: list[tuple[float, float]] = []
    for left, right in sorted((min(run.left for run in chain), max(run.right for run in chain)) for chain in chains):
        if places and left < places[-1][1] - 0.3 * (right - left):
            places[-1] = min(places[-1][0], left), max(places[-1][1], right)
        else:
            places.append((left, right))
    bottom, top = min(run.bottom for chain in chains for run in chain), max(run.top for chain in chains for run in chain)
    columns = []
    for left, right in sorted(places, reverse=True):
        column = [
            run
            for run in runs
            if len(run.text) <= _LONGEST
            and left - 2 < (run.left + run.right) / 2 < right + 2
            and bottom - 2 < run.bottom
            and run.top < top + 2
        ]
        columns.append(sorted(column, key=lambda run: -run.top))
    return columns


def _turned(column: Sequence[Run]) -> list[Run]:
    """A column as runs of a line whose left is the column's top, parted where it leaves room."""
    runs: list[Run] = []
    for run in column:
        text = "".join(unicodedata.normalize("NFKC", sign) if "\ufe10" <= sign <= "\ufe4f" else sign for sign in run.text)
        last = runs[-1] if runs else None
        if last is not None and -run.top - last.right < 1.2 * run.height:
            runs[-1] = replace(
                last, text=last.text + text, right=-run.bottom, bottom=min(last.bottom, run.left), top=max(last.top, run.right)
            )
        else:
            runs.append(Run(text, -run.top, -run.bottom, run.left, run.right, run.bold))
    return runs
