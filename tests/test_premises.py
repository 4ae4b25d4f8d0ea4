"""Premises that the reports turn round, each beside the true one."""

import pytest

from rag.premises import false_premise
from rag.question import read_question


def said(question: str, *sentences: str) -> str:
    return false_premise(read_question(question), sentences, frozenset({"研究社"}))


@pytest.mark.parametrize(
    ("question", "sentence", "words"),
    [
        ("为什么电站会首先进入收入低的地区？", "电站会首先进入收入高的地区。", "低"),
        ("研究社为什么说潮汐能会取代风能？", "潮汐能不会取代风能，两者将长期并存。", "取代"),
        ("为什么说浮筒是最不成熟的？", "技术较成熟的是浮筒，用得也最多。", "不成熟"),
        ("潮汐能会取代风能吗？", "潮汐能不会取代风能。", ""),
        ("为什么老电站扛不住风浪？", "老电站难以抵御风浪。", ""),
    ],
)
def test_a_question_for_reasons_takes_nothing_for_granted_whose_opposite_is_said(question, sentence, words):
    assert said(question, sentence) == words


@pytest.mark.parametrize(
    ("turned", "straight", "sentences"),
    [
        ("为什么拦坝电站比浮筒电站更可靠？", "为什么浮筒电站比拦坝电站更可靠？", ["浮筒电站更简单，可靠性更高。"]),
        ("为什么要从浮筒转回到拦坝？", "为什么要从拦坝转到浮筒？", ["电站将从拦坝走向浮筒。"]),
        ("为什么浮筒会提高维护成本？", "为什么浮筒会提高良率？", ["浮筒可以提高良率，降低维护成本。"]),
        ("为什么浮筒会最先在深水海域落地？", "为什么浮筒会最先在近岸港湾落地？", ["浮筒将优先在近岸的港湾落地。", "随着浮筒在深水海域落地，成本会降低。"]),
        ("为什么只看维护费用？", "为什么要看维护费用？", ["成本不再以维护费用为主，还有腐蚀。"]),
        ("为什么电站会先建在收入低的地区？", "为什么电站会先建在收入高的地区？", ["电站先建在收入水平较高的海边。"]),
        ("为什么要从浮筒转回拦坝？", "为什么要从拦坝转向浮筒？", ["电站将从拦坝走向浮筒。"]),
        ("为什么浮筒不适合通用场景？", "为什么浮筒适合通用场景？", ["浮筒不仅好看，支持新的场景，也适用于通用场景。"]),
        ("为什么不再需要水轮机？", "为什么需要水轮机？", ["水轮机会更好。"]),
        ("Why will the number of turbines shrink?", "Why will the number of turbines grow?", ["Turbines will leap to 90."]),
        ("Why are turbines more expensive?", "Why are turbines cheaper?", ["Turbines lower the cost."]),
        ("Why do plants move from floats back to dams?", "Why do plants move from dams to floats?", ["Plants go from dams to floats."]),
    ],
)  # fmt: skip
def test_each_form_of_a_premise_counts_only_where_it_is_turned_round(turned, straight, sentences):
    assert said(turned, *sentences) and not said(straight, *sentences)


def test_any_of_the_best_sentences_bears_a_premise_out():
    falls = ("浮筒装在海底。", "良率提高了，还可降低维护成本。")
    assert said("为什么浮筒会提高维护成本？", *falls) == "提高维护成本"
    assert said("为什么浮筒会提高维护成本？", *falls, "深海的浮筒提高维护成本。") == ""
