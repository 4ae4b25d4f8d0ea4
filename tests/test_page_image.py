"""Pictures of PDF pages: where a quote stands, and what a page that cannot be drawn says."""

from __future__ import annotations

import pytest
from browser import CRANE, HARBOUR, pdf
from hypothesis import given
from hypothesis import strategies as some

from rag.errors import RagError, UsageError
from rag.reading.page_image import find, letters, lines, picture

words = some.text("abcdefg", min_size=8, max_size=30)


@given(some.text("xyz", max_size=40), words, some.text("xyz", max_size=40))
def test_a_quote_is_found_where_it_stands(before, quote, after):
    assert find(before + quote + after, quote) == [(len(before), len(before) + len(quote))]


@given(words, words)
def test_a_quote_drawn_in_another_order_is_found_in_stretches(first, second):
    page = f"{second}zzz{first}"
    found = find(page, first + second)
    assert not found or sum(end - start for start, end in found) >= len(first + second) / 2
    assert all(page[start:end] in first + second for start, end in found)


def test_what_is_not_there_is_not_marked_and_context_tells_places_apart():
    assert find("thelighthousewasbuiltofstone", "aquitedifferentsentence") == []
    page = "onecrew...twocrew"
    assert find(page, "crew", "two") == [(13, 17)] and find(page, "crew", "one") == [(3, 7)]
    assert "".join(sign for sign, _ in letters("Ｗ indy ﬁn，2.5 ％")) == "windyfin25"


def test_boxes_of_one_line_become_one_and_columns_stay_apart():
    made = lines([(0.1, 0.1, 0.12, 0.12), (0.12, 0.1, 0.2, 0.12), (0.1, 0.13, 0.2, 0.15)])
    assert made == [(0.1, 0.1, 0.2, 0.12), (0.1, 0.13, 0.2, 0.15)]


def test_a_page_is_drawn_with_the_quote_marked():
    made = picture(pdf(HARBOUR), 2, f"{CRANE[0]} {CRANE[1]}")
    assert made.jpeg.startswith(b"\xff\xd8") and (made.width, made.pages, len(made.boxes)) == (1100, 2, 2)
    for place, (left, top, right, bottom) in enumerate(made.boxes):
        line = 1 - (700 - 40 * place) / 842
        assert left == pytest.approx(60 / 595, abs=0.01) and top < line < bottom + 0.003 and right > 0.3
    assert picture(pdf(HARBOUR), 1, CRANE[1]).boxes == ()


def test_what_cannot_be_drawn_is_one_line():
    with pytest.raises(UsageError, match="no page 3: the file has 2"):
        picture(pdf(HARBOUR), 3)
    with pytest.raises(RagError, match="page 1 cannot be drawn"):
        picture(b"%PDF-1.4 nothing", 1)
