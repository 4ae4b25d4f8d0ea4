"""The names that a text may hold, by a list that is kept with the model: places, companies, persons.

What it gives up: names that the list lacks. What they are called in the other language is for `rag.search.translate`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

NAMES = Path(__file__).parent.parent / "model" / "proper_names.txt"


@lru_cache(maxsize=1)
def proper_names() -> frozenset[str]:
    """Chinese names of places, companies and persons, two to eight characters."""
    return frozenset(line for line in NAMES.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
