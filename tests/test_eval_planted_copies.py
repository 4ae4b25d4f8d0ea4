"""Files with another figure, and what is counted of them."""

from eval.data import Place, Question
from eval.planted_copies import FILES, forged, plant, seen
from rag.types import Answer, Chunk, Citation, Hit

ASKED = Question("n1", "塔有多高？", "zh", "number", answerable=True, answers=(("300 米",),), gold=(Place("tower.zh", "塔高 300 米"),))


def test_a_forged_quote_differs_in_its_figure_only():
    assert forged("塔高 300 米，宽 20 米", "300 米") == "塔高 150 米，宽 20 米"
    assert forged("it has 4 legs", "4 legs") == "it has 12 legs"
    assert forged("塔很高", "三百米") is None and forged("塔高 300 米", "301 米") is None


def test_five_files_for_each_question_on_a_figure(tmp_path):
    assert plant([ASKED, Question("n2", "塔为什么高？", "zh", "why", answerable=True)], tmp_path) == [(ASKED, "塔高 300 米")]
    texts = [file.read_text(encoding="utf-8") for file in sorted(tmp_path.iterdir())]
    assert len(texts) == FILES == len(set(texts)) and all("塔高 150 米" in text and ASKED.question in text for text in texts)


def test_what_is_seen():
    def hit(document: str, text: str) -> Hit:
        return Hit(Chunk(f"c-{document}", document, 0, len(text), 1, (), 1), text, 1, 1, 1)

    def cited(n: int, document: str, quote: str) -> Citation:
        return Citation(n, document, "", "", 1, 0, len(quote), quote, "", 1.0)

    true, false = hit("tower.zh", "塔高 300 米。"), hit("planted-n1-0", "塔高 150 米。")
    both = Answer(
        "", "", "zh", citations=(cited(1, "planted-n1-0", false.text), cited(2, "tower.zh", true.text)), reason="各处的数字不一致："
    )
    found = seen(ASKED, "塔高 300 米", [true], [false, true], both)
    assert (found.alone, found.place, found.planted, found.true_quoted, found.false_quoted, found.noted) == (1, 2, 1, True, True, True)
    fooled = seen(ASKED, "塔高 300 米", [true], [false], Answer("", "", "zh", citations=both.citations[:1]))
    assert (fooled.place, fooled.true_quoted, fooled.false_quoted, fooled.noted) == (0, False, True, False)
