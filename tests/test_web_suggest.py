"""Suggestions that the reports answer, the map of a collection, and the plots of evaluation runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from test_app import Reader
from tiny_reader import WISHES, open_tiny

from rag.chat import Assistant
from rag.config import Config
from rag.index.build import build_index
from rag.index.encoder import open_encoder
from rag.types import Block, Document, Filter
from rag.web import report_views
from rag.web.explore import key_terms, outline
from rag.web.suggest import about_section, about_term, defined, follow_ups, openers, topic

CORPUS = Path(__file__).resolve().parent.parent / "corpus"


@pytest.fixture(scope="module")
def assistant(tmp_path_factory) -> Assistant:
    config = Config(index_dir=str(tmp_path_factory.mktemp("suggest") / "index"))
    build_index([CORPUS], config.index_dir, open_encoder("builtin"))
    return open_tiny(config, intents=WISHES)


@pytest.mark.parametrize("question", ["存算一体有哪三条技术路径？", "What does CIPU stand for?", "2030 年零售业有多少直播由数字人主持？"])
def test_every_follow_up_is_answered_and_is_not_the_question_itself(assistant, question):
    answer = assistant.ask(question)
    found = follow_ups(assistant, answer)
    assert found and question not in found and len(set(found)) == len(found) <= 3
    for suggestion in found:
        again = assistant.ask(suggestion)
        assert not again.abstained and again.citations and again.language == answer.language


def test_follow_ups_keep_to_the_chosen_reports(assistant):
    only = Filter(("huawei-cloud-2030.zh",))
    for suggestion in follow_ups(assistant, assistant.ask("零售业有什么变化？", only=only), only):
        assert {citation.document for citation in assistant.ask(suggestion, only=only).citations} == {"huawei-cloud-2030.zh"}


def test_openers_and_questions_about_a_section_or_word_are_answered(assistant):
    for language in ("zh", "en"):
        found = openers(assistant, language)
        assert len(found) >= 2 and not any(assistant.ask(question).abstained for question in found)
    store = assistant.store
    section = next(field.section for field in outline(store.document("damo-2023.zh")) if topic(field.section) == "存算一体")
    found = about_section(assistant, "damo-2023.zh", section)
    assert found and all("存算一体" in question or "是什么" in question for question in found)
    assert about_term(assistant, "damo-2023.zh", "芯片")
    with pytest.raises(KeyError):
        about_section(assistant, "moon", ())


def test_headings_and_definitions_give_names():
    assert topic(("趋势三 存算一体", "趋势解读")) == "存算一体" and topic(("2.6 Retail: all digital",)) == "Retail"
    assert topic(("专家点评",)) == topic(()) == ""
    assert defined("存算一体是一种架构。它是一个词。这是指别的。", "zh") == ["存算一体"]
    assert defined("It is a test. A heat pump is a machine. Education is the key.", "en") == ["a heat pump"]
    assert defined("If computing networks are the base, all is well. Computing networks are the base of computing.", "en") == [
        "computing networks"
    ]
    assert defined("如果算力网络是一种设施。算力网络是一种设施。", "zh") == ["算力网络"]


def test_suggestions_are_well_formed(assistant):
    found = [*openers(assistant, "zh"), *openers(assistant, "en")]
    for report in assistant.documents():
        for field in outline(assistant.store.document(report.id)):
            found += about_section(assistant, report.id, field.section)
    assert len(found) > 60
    for question in found:
        assert question.endswith(("？", "?")) and "  " not in question
        assert not re.search(r"\b(?:What (?:is|are)|of) (?:If|When|In|It|This|That|The|And|For|As)\b", question)
        assert not re.search(r"^What (?:is|are) [A-Z][a-z]+ [a-z]", question)  # a name begins small in the middle of a sentence
        assert not re.search(r"^What are (?!the )\S+[^s?]\?$", question)
        assert not re.search(r"(?:challenges|uses|expected) of [^“]*\b(?:is|are|reaches|reshapes)\b", question)
        assert not re.search(r"[A-Za-z0-9][\u4e00-\u9fff]|[\u4e00-\u9fff][A-Za-z0-9]", question)


def test_an_outline_covers_a_report_and_opens_what_is_large():
    blocks, at = [], 0
    for section, size in ((("1 A",), 10), (("2 B", "2.1 C"), 300), (("2 B", "2.2 D"), 500), ((), 5)):
        blocks.append(Block(at, at + size, section=section))
        at += size
    document = Document("d", "D", "x" * at, tuple(blocks), "0", "d.md")
    assert [(field.section, field.characters) for field in outline(document)] == [
        (("1 A",), 10),
        (("2 B", "2.1 C"), 300),
        (("2 B", "2.2 D"), 500),
    ]
    assert outline(Document("e", "E", "xx", (Block(0, 2),), "0", "e.md"))[0].section == ()


def test_words_of_a_report_are_its_own():
    def report(name: str, text: str, language: str) -> Document:
        return Document(name, name, text, (), name, name, language=language)

    found = key_terms(
        [
            report("a", "灯塔照亮海面。守塔人点亮灯塔，灯塔在夜里闪光。古老的灯塔。" * 3, "zh"),
            report("b", "梨园开花。果农走进梨园，梨园结果。大片的梨园。" * 3, "zh"),
            report("c", "The heat pump warms. A heat pump cools. Each Heat Pump hums, says Anna." * 3, "en"),
        ]
    )
    assert found["a"][0] == ("灯塔", 12) and found["b"][0] == ("梨园", 12) and found["c"][0][0] == "heat pump"
    assert not {"梨园"} & {term for term, _ in found["a"]}


def test_the_map_is_safe_html_with_a_bar_for_each_section(assistant):
    store = assistant.store
    documents = [store.document(document.id) for document in store.documents()]
    page = report_views.map_html([(document, outline(document)) for document in documents], {"damo-2023.zh": [("<b>芯片", 3)]}, "zh")
    assert page.count('class="field"') == sum(len(outline(document)) for document in documents) and "&lt;b&gt;芯片" in page
    assert set(Reader(page).tags) <= {
        "div",
        "p",
        "details",
        "summary",
        "button",
        "span",
        "i",
        "small",
        "form",
        "h3",
        "select",
        "option",
        "input",
    }


def test_runs_become_plots_and_failures_questions(tmp_path):
    def save(name: str, started: str, value: float, questions: str = "same") -> None:
        folder = tmp_path / name
        folder.mkdir()
        run = {
            "started": started,
            "n": 2,
            "questions": {"hash": questions, "file": "q.jsonl"},
            "figures": {"answer_hit": {"value": value, "n": 2, "low": 0.1, "high": 0.9}, "latency_p50_ms": {"value": 30.0, "n": 2}},
            "failures": {"wrong answer": ["q2"]},
        }
        (folder / "run.json").write_text(json.dumps(run))
        records = [{"id": "q1", "question": "fine"}, {"id": "q2", "question": "<b>wrong</b>"}]
        (folder / "records.jsonl").write_text("\n".join(map(json.dumps, records)))

    assert report_views.read_runs(tmp_path / "none") == [] and "rag eval" in report_views.scores_html([], "en")
    save("b", "2030-01-02T00:00:00", 0.5)
    save("a", "2030-01-01T00:00:00", 0.25)
    save("c", "2030-01-01T12:00:00", 0.75, "other questions")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "run.json").write_text("[broken")
    runs = report_views.read_runs(tmp_path)
    assert [run.figures["answer_hit"]["value"] for run in runs] == [0.25, 0.5]
    assert runs[-1].failures == (("<b>wrong</b>", "wrong answer"),) and runs[0].failures == ()
    page = report_views.scores_html(runs, "en")
    assert (
        "0.500" in page
        and 'aria-label="0.250, 0.500"' in page
        and "30.0 ms" in page
        and "&lt;b&gt;wrong" in page
        and "<b>wrong" not in page
        and "Answered right" in page
    )
    chinese = report_views.scores_html(runs, "zh")
    assert "答对" in chinese and "答案不对" in chinese and "answer" not in re.sub(r"<[^>]*>", "", chinese)
