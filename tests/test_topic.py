"""Whether reports speak of a topic: the features of the best sentences, and the curve over them."""

import json

import pytest

from rag.answer.demands import Surroundings
from rag.search.question import read_question
from rag.search.rank import FEATURES as OF_SENTENCES
from rag.search.rank import Scored, Sentence
from rag.topic import FEATURES, TOPIC_FILE, languages_of, speaks_of_topic, spoken_of, topic_features

MODEL = json.loads(TOPIC_FILE.read_text(encoding="utf-8"))


def around(section: str, language: str = "zh") -> Surroundings:
    return Surroundings("", "", "", section, "", 2022, language)


def item(score: float, section: str, **features: float) -> Scored:
    sentence = Sentence("d", 0, 0, 1, section, "prose", 0, None, (section,), "")
    return Scored(sentence, score, None, tuple(features.get(name, 0.0) for name in OF_SENTENCES))


def test_features_are_the_best_of_the_first_four_and_their_curve_decides():
    question = read_question("行家怎么看电站？")
    found = [
        item(1.5, "近百位专家", window_cosine=0.1, chunk_cosine=0.4),
        item(1.2, "电站", window_cosine=0.3, coverage=0.2),
        *[item(1.0, "别处")] * 2,
        item(0.9, "电站行家", window_cosine=0.9),
    ]
    features = topic_features(question, found, lambda one: around(one.sentence.text))
    assert features[:4].tolist() == [1.5, 0.3, 0.4, 0.2] and 0.4 < features[4] < 0.6
    curve = sum(value * MODEL["weights"][name] for name, value in zip(FEATURES, features, strict=True)) + MODEL["offset"]
    for strictness, threshold in MODEL["thresholds"]["zh to zh"].items():
        assert speaks_of_topic(question, found, lambda one: around(one.sentence.text), strictness) == (curve >= threshold)


@pytest.mark.parametrize(
    ("question", "section", "language", "least", "most"),
    [
        ("行家怎么看电站？", "电站的专家", "zh", 1.0, 1.0),  # by a word that means the same
        ("行家怎么看电站？", "三座水坝", "zh", 0.0, 0.1),
        ("What do experts say of costs?", "专家谈成本", "zh", 0.6, 1.0),  # by translations
        ("What do experts say of costs?", "Experts on costs.", "en", 0.6, 1.0),
        ("？？", "电站", "zh", 0.0, 0.0),
    ],
)
def test_spoken_of(question, section, language, least, most):
    assert least <= spoken_of(read_question(question), around(section, language)) <= most


def test_a_stricter_setting_asks_for_more():
    for thresholds in MODEL["thresholds"].values():
        assert thresholds["open"] < thresholds["balanced"] < thresholds["strict"]


def test_the_languages_of_question_and_text_choose_the_threshold():
    asked = {"zh": read_question("成本是多少？"), "en": read_question("What is the cost?")}
    made = {languages_of(question, around("", told)) for question in asked.values() for told in ("zh", "en", "")}
    assert made == set(MODEL["thresholds"]) == {"zh to zh", "zh to en", "en to en", "en to zh"}
