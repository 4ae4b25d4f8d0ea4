"""Long talks about the bundled reports: every turn is answered as it was meant, whatever came before."""

from pathlib import Path

import pytest

from rag.chat import Assistant
from rag.config import Config, bundled
from rag.index.build import build_index
from rag.index.encoder import BuiltinEncoder
from rag.types import Turn

ZH = (
    ("存算一体是什么？", "计算单元与存储单元融合"),
    ("它有哪三条技术路径？", "近存计算"),
    ("成熟还要多久？", "5-10 年"),
    ("那云原生安全呢？", "云原生安全"),
    ("它面临哪些挑战？", "监控数据"),
    ("哪位专家点评了这一章？", "翟起滨"),
    ("换个话题，零售业 2030 年有多少直播由数字人主持？", "99%"),
    ("那能源行业呢，光伏装机多少？", "6000GW"),
    ("谢谢，那 2040 年是多少？", ""),
    ("SRE 的全称是什么？", "Site Reliability"),
)
EN = (
    ("What is a Chiplet?", "Chiplet"),
    ("Why does it lower costs?", "lower manufacturing cost"),
    ("Which expert commented on it?", "Wang Haiyang"),
    ("What about CIPU?", "CIPU"),
    ("How much does it speed things up?", "eRDMA"),
    ("By the way, how many jobs may AI replace by 2030?", "400 million"),
    ("And how many will it create?", "97 million"),
    ("And by 2045?", ""),
    ("What does ZTNA stand for?", "Zero-Trust"),
    ("And IaC?", "Infrastructure"),
)
MIXED = (
    ("低空经济是什么？", "低空空域"),
    ("What are its three main scenarios?", "scene"),
    ("How much will it add to the economy by 2030?", "50 trillion"),
    ("那 Now-Casting 呢？", "Now-Casting"),
    ("它的精度能到多少？", "99%"),
    ("那教育行业呢，会有多少数智教师？", "1500 万"),
    ("量子比特会从多少涨到多少？", "10000+"),
    ("And what does SRE stand for?", "Site Reliability"),
    ("那 AMTD 呢？", "自动移动目标防御"),
    ("Who won the football championship in Brazil?", ""),
)


@pytest.fixture(scope="module")
def assistant(tmp_path_factory) -> Assistant:
    config = Config(index_dir=str(tmp_path_factory.mktemp("talks") / "index"))
    build_index(
        [bundled("corpus")], Path(config.index_dir), BuiltinEncoder(), target_tokens=config.target_tokens, max_tokens=config.max_tokens
    )
    return Assistant.open(config)


@pytest.mark.parametrize("talk", [ZH, EN, MIXED], ids=["zh", "en", "mixed"])
def test_ten_turns(assistant, talk):
    history: list[Turn] = []
    for question, wanted in talk:
        answer = assistant.ask(question, history=history)
        assert answer.abstained == (not wanted), question
        assert wanted in answer.answer, question
        assert answer.query.count("；") + answer.query.count("; ") <= 2  # the whole talk would drown what is asked
        places = dict.fromkeys((citation.document, tuple(citation.section.split(" / "))) for citation in answer.citations)
        history.append(Turn(question, answer.answer, answer.query, tuple(places)))
