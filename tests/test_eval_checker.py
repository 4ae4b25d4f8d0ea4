"""The generator of true and false claims, and what it measures."""

import json

from eval.checker import Case, best_of, bundled_evidence, cases, clapnq, measure
from rag.config import bundled

QUOTES = (
    "到 2030 年，东岸潮汐电站的装机容量预计提升到 4.2 GW，维护费用占总成本的 40%。",
    "中国的三座潮汐电站由 OSPAR 牵头建设，可以为 150 万户家庭供电，成本低于燃煤电站。",
    "By 2031 the night trams of Lisbon will carry 12 million passengers, because drivers reduced the noise at every stop.",
)
BESIDE = ("泻湖式对生态的影响最小。", "", "Lime trees feed most colonies in June.")


def test_every_kind_is_made_and_the_same_each_time():
    made = cases(QUOTES, BESIDE)
    assert made == cases(QUOTES, BESIDE) and made != cases(QUOTES, BESIDE, seed=1)
    kinds = {(case.true, case.kind) for case in made}
    assert {kind for true, kind in kinds if not true} == {"number", "unit", "year", "entity", "direction", "negation", "neighbour", "word"}
    assert {kind for true, kind in kinds if true} >= {"verbatim", "format", "synonym", "opening", "shortened", "joined"}
    assert all(case.claim != case.evidence[0] for case in made if not case.true)
    assert len({case.id for case in made}) == len(made)


def test_the_check_tells_them_apart():
    figures = measure(cases(QUOTES, BESIDE))
    caught, of_false = figures["false"]
    alarms, of_true = figures["true"]
    assert caught >= 0.95 * of_false and alarms <= 0.05 * of_true


def test_measure_counts_every_verdict_but_supported():
    made = [Case("a", True, "verbatim", "x", ("x",)), Case("b", False, "number", "y", ("x",)), Case("c", False, "word", "z", ("x",))]
    verdicts = {"a": "supported", "b": "partial", "c": "supported"}
    found = measure(made, lambda case: verdicts[case.id])
    assert found["true"] == (0, 1) and found["false"] == (1, 1) and found["harder"] == (0, 1) and found["false: number"] == (1, 1)


def test_bundled_evidence_is_whole_sentences_of_one_half():
    quotes, beside = bundled_evidence(bundled("eval") / "questions.jsonl", "report")
    assert len(quotes) == len(beside) > 20 and not any("|" in quote or quote.startswith("-") for quote in quotes)


def test_human_answers_against_their_own_and_another_passage(tmp_path):
    rows = [
        {"passages": [{"title": "Trams", "sentences": ["The tram carried 1500 people on Fridays .", "It was quiet ."]}], "output": [{"answer": "The tram carried 1500 people ."}]},
        {"passages": [{"title": "Bees", "sentences": ["City hives gave honey in June ."]}], "output": [{"answer": "City hives gave much honey in June ."}]},
    ]  # fmt: skip
    file = tmp_path / "answers.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert clapnq(file) == (2, 2, 0, 2)


def test_best_sentences_cover_the_claim_together():
    assert best_of("tram honey", ["the honey", "nothing", "a tram"], 2) == ["the honey", "a tram"]
