"""The Chinese and the English digest of a report say the same: section by section, line by line, figure by figure."""

import re
from collections import Counter

import pytest

from rag.config import bundled

NAMES = ("damo-2023", "huawei-cloud-2030")
SCALES = {"万亿": 1e12, "千万": 1e7, "百万": 1e6, "万": 1e4, "亿": 1e8, "trillion": 1e12, "billion": 1e9, "million": 1e6, "thousand": 1e3}
MONTHS = "January February March April May June July August September October November December".split()
NUMBER = re.compile(
    r"(\d+(?:\.\d+)*)(?:\s*(?:[~～-]|to)\s*(\d+(?:\.\d+)*))?\s*(万亿|千万|百万|万|亿|trillion|billion|million|thousand)?",
)


def figures(text):
    """Every number of a text by its value: "6110 亿" and "611 billion" are one, in a range the unit behind counts for both ends."""
    text = re.sub(r"趋势([一二三四五六七八九十])(?!方面|章)", lambda match: f"趋势 {'一二三四五六七八九十'.index(match[1]) + 1} ", text)
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(rf"\b({'|'.join(MONTHS)})\b(?= \d{{4}})", lambda match: f" {MONTHS.index(match[1]) + 1} ", text)
    found = Counter()
    for match in NUMBER.finditer(text):
        for number in filter(None, match.groups()[:2]):
            found[number if number.count(".") > 1 else round(float(number) * SCALES.get(match[3], 1), 6)] += 1
    return found


def body(name, language):
    """The lines behind the front matter."""
    text = (bundled("corpus") / f"{name}.{language}.md").read_text(encoding="utf-8")
    return text.split("---\n", 2)[2].splitlines()


def sections(lines):
    """(level, text below up to the next heading) of each heading."""
    found = []
    for line in lines:
        if heading := re.match(r"(#+) ", line):
            found.append((len(heading[1]), []))
        if found:
            found[-1][1].append(line)
    return found


def test_figures_are_compared_by_value():
    assert figures("达到 6110 亿至 8150 亿美元") == figures("reach 611 billion to 815 billion dollars")
    assert figures("3~5 千万台") == figures("30 to 50 million")
    assert figures("2022 年 3 月，1 万倍") == figures("in March 2022, 10,000 times")
    assert figures("趋势三 增长 70%") != figures("trend 3 grows by 80%")


@pytest.mark.parametrize("name", NAMES)
def test_sections_and_figures_are_the_same_in_both_languages(name):
    chinese, english = sections(body(name, "zh")), sections(body(name, "en"))
    assert [level for level, _ in chinese] == [level for level, _ in english]
    for (_, one), (_, other) in zip(chinese, english, strict=True):
        assert figures("\n".join(one)) == figures("\n".join(other)), f"{one[0]} / {other[0]}"


@pytest.mark.parametrize("name", NAMES)
def test_lines_stand_opposite_one_another(name):
    shape = [[re.match(r"#+ |- |\||", line)[0] or bool(line) for line in body(name, language)] for language in ("zh", "en")]
    assert shape[0] == shape[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_english_digest_is_english(name):
    for line in body(name, "en"):
        assert line.startswith("| ") or not re.search("[\u3400-\u9fff]", line), line
