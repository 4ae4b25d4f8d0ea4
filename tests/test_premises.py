"""Premises that the reports turn round, each beside the true one."""

import pytest

from rag.premises import false_premise
from rag.search.question import read_question


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
        # who is ahead, and who does it to whom
        ("浮筒电站怎么输给了拦坝电站？", "浮筒电站怎么胜过拦坝电站？", ["浮筒电站在多数海域优于拦坝电站。"]),
        ("拦坝是哪一年超过浮筒的？", "浮筒是哪一年超过拦坝的？", ["2023 年，浮筒的装机量超过拦坝。"]),
        ("拦坝凭什么把浮筒甩在后面？", "浮筒凭什么把拦坝甩在后面？", ["浮筒的产量超过了拦坝。"]),
        ("浮筒比拦坝少多少？", "浮筒比拦坝多多少？", ["浮筒的产量比拦坝多 20 座。"]),
        ("拦坝被浮筒取代是哪一年？", "浮筒被拦坝取代是哪一年？", ["三年里，拦坝取代了浮筒。"]),
        ("By how much did dams outperform floats?", "By how much did floats outperform dams?", ["Floats outperformed dams by 5 points."]),
        ("Which year did Dams Inc sue the Tidal Trust?", "Which year did the Tidal Trust sue Dams Inc?", ["Dams Inc was sued by the Tidal Trust."]),
        # order and change
        ("电站怎么先建浮筒、再建拦坝？", "电站怎么先建拦坝、再建浮筒？", ["电站分两步：先建拦坝，再建浮筒。"]),
        ("电网以后怎么改成集中式？", "电网以后怎么改成分布式？", ["电网会从集中式走向分布式。"]),
        ("产量从 95% 跌到 38% 是哪一年？", "产量从 38% 升到 95% 是哪一年？", ["到 2030 年，产量由现在的 38% 升至 95%。"]),
        # direction, degree and kind
        ("2023 年产量大跌 30%，是哪几座电站？", "2023 年产量大涨 30%，是哪几座电站？", ["2023 年产量同比增长 30%。"]),
        ("How do floats make output 40% worse?", "How do floats make output 40% better?", ["Floats can improve output by 40%."]),
        ("浮筒对风浪的适应性很弱，怎么补救？", "浮筒对风浪的适应性很强，怎么做到的？", ["浮筒对风浪的适应性强，用得很广。"]),
        ("Which closed designs do floats use?", "Which open designs do floats use?", ["Floats use open designs that anyone may copy."]),
        ("What makes dams more reliable than floats?", "What makes floats more reliable than dams?", ["Floats: more reliable | Dams: more power"]),
        ("谁在 2019 年关闭了浮筒社区？", "谁在 2019 年成立了浮筒社区？", ["浮筒社区 2019 年成立。"]),
        ("Why do most users distrust floats?", "Why do most users trust floats?", ["Most users trust floats."]),
        ("浮筒用户为什么越来越少？", "浮筒用户为什么越来越多？", ["浮筒用户逐年增长。"]),
        ("Why do floats run on Windows only?", "Why do floats run on Windows?", ["Floats run on Linux and Windows."]),
        # figures
        ("哪些浮筒占了 30% 的产量？", "哪些浮筒占了 70% 的产量？", ["浮筒占 70% 的产量，拦坝占 30%。"]),
        # what is denied
        ("漏水是在哪一版里修复的？", "漏水是在哪一版里发现的？", ["漏水目前还没有修复，是在第二版里发现的。"]),
        ("浮筒里传感器都没有，靠什么测浪？", "浮筒里有传感器，怎么测浪？", ["浮筒里仍有传感器。"]),
        ("哪些金属电缆适合浮筒？", "哪些非金属电缆适合浮筒？", ["适合浮筒的是非金属电缆。"]),
        ("Who makes the engine of the float?", "Who makes the anchor of the float?", ["The float has no engine; Moon Inc makes its anchor."]),
        # who
        ("为什么浮筒要由船厂牵头？", "为什么浮筒要由港口牵头？", ["浮筒仍会由港口主导。"]),
        ("IDC 预测浮筒会有多少座？", "Gartner 预测浮筒会有多少座？", ["据 Gartner 预测，浮筒会有 90 座。", "IDC 预测，风机会有 70 座。"]),
    ],
)  # fmt: skip
def test_each_form_of_a_premise_counts_only_where_it_is_turned_round(turned, straight, sentences):
    assert said(turned, *sentences) and not said(straight, *sentences)


def test_any_of_the_best_sentences_bears_a_premise_out():
    falls = ("浮筒装在海底。", "良率提高了，还可降低维护成本。")
    assert said("为什么浮筒会提高维护成本？", *falls) == "提高维护成本"
    assert said("为什么浮筒会提高维护成本？", *falls, "深海的浮筒提高维护成本。") == ""


@pytest.mark.parametrize(
    ("question", "sentences"),
    [
        ("浮筒取代拦坝了吗？", ["拦坝取代了浮筒。"]),
        ("浮筒在哪些方面不如拦坝？", ["浮筒在成本上优于拦坝，在强度上不如拦坝。"]),
        ("强度高的浮筒用什么材料？", ["浮筒强度高，用的是钢；强度低的用木。"]),
        ("不用潜水员怎么检修浮筒？", ["机器人检修浮筒，潜水员不下水。"]),
        ("海流公司哪一年退出浮筒联盟？", ["海流公司 2019 年加入浮筒联盟，2021 年退出。"]),
        ("怎样摆脱对海外零件的依赖？", ["浮筒已改用国内零件，不再依赖海外零件。"]),
        ("How can a plant reduce errors?", ["Errors grow with the number of floats; a plant can check twice."]),
        ("浮筒的人工值守怎么取消？", ["装上传感器后，浮筒无需人工值守。"]),
        ("How long does a small float last?", ["Large floats last 20 years, small ones 10 years."]),
        ("由船厂牵头的是哪个项目？", ["北湾项目由港口牵头，南湾项目由船厂牵头。"]),
        ("浮筒还没解决的难题有哪些？", ["浮筒尚未解决的难题有两个：腐蚀和噪声。"]),
        ("Which tides can floats not yet predict?", ["Floats do not yet predict spring tides."]),
        ("Where do the 30% of floats go that are not near the shore?", ["70% of floats are moored near the shore, the other 30% at sea."]),
        ("What role does Ann Lee have at Moon Inc?", ["Ann Lee is the head of research.", "Moon Inc builds floats."]),
        ("研究社和 Seaflow 对 Tidal.ai 怎么看？", ["Seaflow 看好它。", "Tidal.ai 由 Moon Inc 收购。"]),
        ("Which ports lost 40% of their traffic?", ["Two ports saw traffic fall by 40%, while others grew by 20%."]),
    ],
)
def test_what_is_asked_otherwise_than_it_is_told_is_no_false_premise(question, sentences):
    assert said(question, *sentences) == ""
