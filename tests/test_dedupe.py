"""Copies stand behind what is new, and no report takes all the room."""

from hypothesis import given
from hypothesis import strategies as some

from rag.search.dedupe import Told, copies_last, shared_out

SHARES = {"capacity": 0.5, "plants": 0.5}
TRUE = "The capacity of all tidal plants reached 4.2 GW in 2022. Three plants on the east coast contributed most of it."


def told(report: str, text: str) -> Told:
    return Told.of(report, text, SHARES)


def planted(number: int, figure: str = "9.9") -> str:
    notes = (
        "Compiled by the desk.",
        "Noted on Wednesday, before lunch.",
        "Checked by two colleagues of ours.",
        "Filed again.",
        "A digest.",
    )
    return f"The capacity of all tidal plants reached {figure} GW in 2022. {notes[number]}"


def test_five_files_that_say_the_same_leave_room_for_the_one_that_does_not():
    files = {f"planted-{number}": planted(number) for number in range(5)} | {"report": TRUE, "bees": "Bees fly."}
    ranked = copies_last(list(files), lambda name: told(name, files[name]), 6)
    assert ranked == ["planted-0", "report", "bees", "planted-1", "planted-2", "planted-3"]


def test_another_figure_is_no_copy_and_one_more_is():
    assert not told("a", planted(0)).repeats(told("b", planted(1, "8.8")))
    assert told("a", planted(0)).repeats(told("b", planted(0) + " Page 12."))


def test_within_a_report_only_whole_passages_are_copies():
    assert not told("a", planted(0)).repeats(told("a", planted(1)))
    assert told("a", planted(0)).repeats(told("a", planted(0).upper()))


def test_a_few_words_in_common_make_no_copy():
    assert not told("a", "Plants: capacity.").repeats(told("b", "Plants: capacity. The east coast has three of them."))


def test_an_empty_passage_repeats_nothing_but_another():
    assert not told("a", "").repeats(told("b", TRUE))


@given(some.lists(some.sampled_from(["a b c", "A b c!", "d e f", "d e 7", "", "g"]), max_size=12), some.integers(1, 12))
def test_nothing_is_invented_and_the_best_stays_the_best(texts, top_k):
    ranked = copies_last(list(enumerate(texts)), lambda item: told("", item[1]), top_k)
    assert len(ranked) == min(top_k, len(texts)) == len(set(ranked)) and set(ranked) <= set(enumerate(texts))
    assert ranked[:1] == list(enumerate(texts))[:1]


def test_one_report_takes_three_fifths_while_others_have_something_to_say():
    found = ["a1", "a2", "a3", "a4", "a5", "b1", "b2", "c1"]
    assert shared_out(found, lambda item: item[0], 5) == ["a1", "a2", "a3", "b1", "b2"]
    assert shared_out(found[:6], lambda item: item[0], 5) == ["a1", "a2", "a3", "a4", "b1"]
    assert shared_out(found[:3], lambda item: item[0], 2) == ["a1", "a2"]
