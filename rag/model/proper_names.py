"""Makes `proper_names.txt`: Chinese names that a dictionary writes with a capital, `python -m rag.model.proper_names --data FOLDER`.

CC-CEDICT (CC BY-SA 4.0) gives names of places, peoples, companies and persons a capital in their pinyin. Small places are left out: they are many
and their two characters often meet by chance across the border of two words.
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

OUTPUT = Path(__file__).parent / "proper_names.txt"
_ENTRY = re.compile(r"(\S+) (\S+) \[([^\]]+)\] /(.*)/")
_SMALL = re.compile(
    r"county|township|district|level city|village|\btown\b|surname|street|commune|banner|also written|language|script|dollar|currency|Internet|dynasty|emperor|"
    r"reign|era name|variant of|courtesy name|\bchapter\b|star\b|constellation|stem|\bnovel|opera|Book of|Buddhis|Daois|Taois|prefecture|revolution",
    re.IGNORECASE,
)


def names(lines: Iterable[str]) -> Iterator[str]:
    """Headwords in simplified characters, two to eight Han characters, that occur with a capital only."""
    glosses: dict[str, str] = {}
    common: set[str] = set()
    for line in lines:
        match = _ENTRY.match(line)
        if not match or not re.fullmatch(r"[\u4e00-\u9fff]{2,8}", match[2]):
            continue
        if match[3][0].isupper():
            glosses[match[2]] = glosses.get(match[2], "") + match[4]
        else:
            common.add(match[2])
    yield from sorted(name for name, gloss in glosses.items() if name not in common and not _SMALL.search(gloss))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cedict/cedict_ts_utf8.txt.gz")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    with gzip.open(options.data / "cedict" / "cedict_ts_utf8.txt.gz", "rt", encoding="utf-8") as dictionary:
        found = list(names(dictionary))
    header = "# Proper names out of CC-CEDICT, CC BY-SA 4.0, https://www.mdbg.net/chinese/dictionary?page=cedict"
    options.output.write_text("\n".join([header, *found]) + "\n", encoding="utf-8")
    print(f"{len(found)} names: {options.output}")


if __name__ == "__main__":
    main()
