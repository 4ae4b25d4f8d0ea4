"""Ranked sentences to an answer without an LLM: the right sentences, each cited to its exact span, or an honest "not found".

One rule for each kind of question says how many sentences and what belongs together. Whether to answer at all is decided by what the question
demands (a year, a name, a number of a kind), since scores say little: askers repeat a report's own words for what it does not hold.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rag.answer.conflicts import describe_conflict, find_conflicts
from rag.answer.lists import Enumeration, enumeration_at
from rag.answer.quoting import REPEATED, character_pairs, distinct, first_clause, length, share_pairs
from rag.index.lexical import terms
from rag.rules.demands import Surroundings, unmet
from rag.rules.evidence import GLOSSED
from rag.rules.lists import asked_count, is_about
from rag.rules.premises import false_premise
from rag.rules.question import LONG_KINDS, Question, quantity_answers
from rag.rules.rank import Scored, SentenceRanker
from rag.rules.topic import speaks_of_topic
from rag.rules.verify import check, figures_at_odds
from rag.search.question import names_of
from rag.search.sentences import Sentence
from rag.types import Answer, Citation, Claim, Document

DEFINING = 0.35
"""What a sentence that defines the very subject asked for gains, as a share of the best score."""
DESCRIBING = 0.12
"""The same for one that begins with the subject and says of what kind it is."""
BELONGING = 0.12
"""What a sentence loses in a definition, as a share of the best score, that begins with something else: what belongs to the subject, or "it"."""
GLOSSES_AMONG = 24
"""The best sentences among which the Chinese name of a Latin one is looked for."""
GENUS = "(?:技术|方法|系统|过程|能力|体系|架构|模型|平台|方式|概念|领域|学科|产业|服务|设备|装置|理念|模式|标准|协议|组织|联盟|网络|工具|算法|机制|框架|手段)"
_IT = re.compile(
    r"(?:它们?|这(?!里)|其(?![他它余中次实])|该|此(?![外前时后])|前者|后者)|(?:It|This|These|They|Its|Their|Such|Those|Both)\b"
)
"""What a sentence begins with whose subject stands in the sentence before."""
_GOES_ON = re.compile(
    rf"{_IT.pattern}|同时|此外|另外|因此|从而|反之|相反|而且|但|(?:Therefore|Thus|Hence|Moreover|However|Besides|Also|At the same time)\b"
)
"""The same, and what joins a sentence to the one before."""
BUDGET = {"list": 700, "why": 640, "compare": 720, "definition": 280, "abbreviation": 200}
"""Characters of an answer by kind of question; every other kind has FACT_BUDGET."""
FACT_BUDGET = 270
MOST_SENTENCES = {"list": 6, "why": 6, "compare": 8, "definition": 3, "abbreviation": 2}
FACT_SENTENCES = 3
MOST_CHARACTERS = 600
"""An answer that is longer is not made longer by what else its question asks."""
FACT_MARGIN = 0.82
"""A further sentence joins a fact only when its score is at least this share of the best one's."""
NEIGHBOURS = {"definition": (0.6, 0.4), "why": (0.75, 0.6), "list": (0.6, 0.4)}
"""What share of the best sentence's score the sentences behind it in its section get, by kind."""
NEIGHBOURS_OF_LEAD = (0.9, 0.85, 0.8, 0.75)
"""The same for a sentence that announces what follows ("有三个方面"), in a list or a reason."""
SAME_BLOCK = 0.2
"""What share of the best score a sentence of the same paragraph gains: a reason seldom stands alone."""
COMPANY_SHARE = 0.65
"""Sentences that join the best one in a reason or definition score at least this share of it."""
LISTED_SHARE = 0.75
"""A list may take the place of the best sentence if one of its sentences scores at least this share and it has as many entries as asked for."""
COMPARED_SHARE = 0.7
"""In a comparison a further sentence of a report scores at least this share of the report's best one."""
_EXPERT = re.compile(r"专家|点评|\bexperts?\b|\bcomment")
EXPERT = 0.3
"""What an expert's remark gains in a comparison, as a share of the best score, where the question asks for experts."""
HEADED = 0.2
"""What a sentence gains in a comparison, as a share of the best score, for saying all that its heading announces: such a one sums up."""
CONTENDERS = 8
CONTENDER_SHARE = {"strict": 0.85, "balanced": 0.7, "open": 0.5}
"""A sentence may stand in for the best one if it scores at least this share and meets what the question demands."""
BESIDE = (1, 2, -1)
"""Where the figure that a sentence leads up to is looked for, in steps from it."""
_LEAD = re.compile(
    r"以下|如下|[两二三四五六七八九十\d]+(?:个|种|条|类|项|点|大|方面|阶段|步)[^。]{0,12}[：:；]|包括[^。]{0,4}[：:]|\b(?:following|as follows)\b"
)
_COUNTED = re.compile(r"哪[两二三四五六七八九十\d]|\bwhich (?:two|three|four|five|six|seven|eight)\b", re.IGNORECASE)
_WRITER = re.compile(
    r"谁(?:来)?(?:写|撰|执笔|署名|点评|评的)|作者(?:是|叫)|(?:写|撰写|执笔|署名)的?(?:人)?是谁|\b(?:who (?:wrote|signed)|author of|written by whom)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no answer, in the language of the question."""

    reason: str


class Composer:
    """Builds answers from ranked sentences. `document` gives a report by its id."""

    def __init__(self, ranker: SentenceRanker, document: Callable[[str], Document], strictness: str = "balanced"):
        self._ranker = ranker
        self._document = document
        self._strictness = strictness

    def compose(self, question: Question, query: str, scored: Sequence[Scored], reports: Sequence[Document]) -> Answer:
        """The answer to a question from its ranked sentences, best first. `reports` are those that may answer."""
        refusal, found = self._decide(question, quotable(question, _preferred(question, scored)))
        if (row := self._abbreviation(question, scored)) and (question.kind == "abbreviation" or (refusal and question.kind in GLOSSED)):
            refusal, found = None, sorted(found or scored, key=lambda item: item.sentence != row)
            question = replace(question, kind="abbreviation")
        if not refusal and question.kind == "abbreviation" and question.names and not row and not _spelling(question, found):
            refusal = self._unless_open(_unspelled(question))
        if refusal:
            nearest = self._cite([item.sentence for item in distinct(found)[:3]], scored, start=1)
            return Answer(question.text, query, question.language, abstained=True, reason=refusal.reason, nearest=tuple(nearest))
        if question.kind != "compare":
            found = self._one_language(found)
        chosen, note = self._choose(question, found, reports)
        if question.kind != "compare" and not note:  # figures at odds are shown beside each other, whatever their length
            chosen = self._whole(question, chosen, BUDGET.get(question.kind, FACT_BUDGET))
        note = " ".join(filter(None, (note, self._other_language(question, chosen))))
        citations = self._cite(chosen, scored, start=1)
        claims = tuple(self._claim(question, citation, sentence) for citation, sentence in zip(citations, chosen, strict=True))
        return Answer(question.text, query, question.language, claims=claims, citations=tuple(citations), reason=note)

    def completed(self, answer: Answer, more: Answer, asked: str) -> Answer:
        """An answer with the first sentence of another one, where it says nothing yet of what that one was `asked`; always for nothing in particular."""
        if more.abstained or not more.claims or len(answer.answer) > MOST_CHARACTERS:
            return answer
        claim, citation = more.claims[0], more.citations[0]
        own = {term for term in terms(asked) if len(term) > 1}
        said = {term for other in answer.claims for term in terms(other.text)}
        held = any(other.document == citation.document and other.start <= citation.start < other.end for other in answer.citations)
        if held or own & said:
            return answer
        n = len(answer.citations) + 1
        claim = replace(claim, citations=(n,), emphasis=None)
        return replace(answer, claims=(*answer.claims, claim), citations=(*answer.citations, replace(citation, n=n)))

    def _decide(self, question: Question, found: list[Scored]) -> tuple[Refusal | None, list[Scored]]:
        """Either a reason to refuse, or the sentences with the first one that meets all demands in front."""
        zh = question.language == "zh"
        if not found:
            return Refusal("没有找到与这个问题相关的内容。" if zh else "I did not find anything on this question."), []
        if not speaks_of_topic(question, found, lambda item: self.surroundings(item.sentence), self._strictness):
            return Refusal("没有找到关于这个话题的内容。" if zh else "I did not find anything on this topic."), found
        if question.kind == "compare":
            return None, found
        names = names_of(self._document(found[0].sentence.document))
        least = CONTENDER_SHARE[self._strictness] * found[0].score
        contenders = [item for place, item in enumerate(found[:CONTENDERS]) if not place or item.score >= least]
        said = false_premise(question, [item.sentence.text for item in contenders], names)
        if said and self._strictness != "open":
            return Refusal(
                f"没有找到“{said}”的依据；最接近的内容说法不同。"
                if zh
                else f'I did not find support for "{said}"; the passages that came closest say otherwise.'
            ), found
        failures: list[str] = []
        for place, item in enumerate(contenders):
            failure = unmet(question, self.surroundings(item.sentence))
            if failure is None:
                return None, [item, *found[:place], *found[place + 1 :]]
            failures.append(failure)
        return (None, found) if self._strictness == "open" else (Refusal(failures[0]), found)

    def _unless_open(self, reason: str) -> Refusal | None:
        return None if self._strictness == "open" else Refusal(reason)

    def surroundings(self, sentence: Sentence) -> Surroundings:
        """A sentence with the texts around it."""
        document = self._document(sentence.document)
        sentences = self._ranker.sentences(document)
        first = last = sentence.position
        while first > 0 and sentences[first - 1].section == sentence.section:
            first -= 1
        while last + 1 < len(sentences) and sentences[last + 1].section == sentence.section:
            last += 1

        def text(low: int, high: int) -> str:
            low, high = max(first, low), min(last, high)
            return document.text[sentences[low].start : sentences[high].end] if low <= high else ""

        here = sentence.position
        place = f"{document.title} {document.publisher} {' '.join(sorted(names_of(document)))} {' '.join(sentence.section)}"
        return Surroundings(
            sentence.text,
            text(here - 2, here - 1),
            text(here - 1, here + 1),
            text(first, last),
            place,
            document.year,
            document.language,
            sentence.speaker,
            sentence.section,
        )

    def _other_language(self, question: Question, chosen: Sequence[Sentence]) -> str:
        """A line that says so where sentences are quoted in another language than the question's; else empty."""
        if all(self._document(sentence.document).language in (question.language, "") for sentence in chosen):
            return ""
        return "报告原文是英文，以下按原文引用。" if question.language == "zh" else "The report is in Chinese and is quoted as it stands."

    def _one_language(self, found: list[Scored]) -> list[Scored]:
        """Sentences in the language of the first: reports in two languages say the same thing twice."""
        language = self._document(found[0].sentence.document).language
        return [item for item in found if self._document(item.sentence.document).language == language]

    def _choose(self, question: Question, found: list[Scored], reports: Sequence[Document]) -> tuple[list[Sentence], str]:
        """The sentences of the answer in the order in which they are read, and a note for the reader."""
        budget = BUDGET.get(question.kind, FACT_BUDGET)
        most = MOST_SENTENCES.get(question.kind, FACT_SENTENCES)
        if question.kind == "compare":
            return self._compare(question, found, reports, budget, most)
        if question.kind == "abbreviation" and (row := self._abbreviation(question, found)):
            return [row], ""
        if question.kind == "abbreviation" and (spelled := _spelling(question, found)):
            return [spelled], ""
        if question.kind in ("list", "why") and (group := self._enumeration(question, found, budget)):
            return group, ""
        if question.kind == "definition":
            return self._definition(question, found, budget, most), ""
        if question.kind in ("why", "list"):
            return self._neighbourhood(question, found, budget, most), ""
        if rivals := find_conflicts(found, figures_at_odds):
            disagreeing = [found[0].sentence, *(rival.sentence for rival in rivals)]
            documents = [self._document(sentence.document) for sentence in disagreeing]
            return disagreeing, describe_conflict(question.language, found[0].sentence, rivals, documents)
        best = found[0]
        signature = self._signature(best.sentence)
        if signature and _WRITER.search(question.text):
            return [signature], ""
        chosen = [signature, best.sentence] if signature and signature != best.sentence and question.kind == "person" else [best.sentence]
        for item in distinct(found)[1:CONTENDERS]:
            fits = len(chosen) < most and length(chosen) + len(item.sentence.text) <= budget
            if fits and item.score >= FACT_MARGIN * best.score and item.sentence not in chosen:
                chosen.append(item.sentence)
        return self._with_figure(question, chosen, budget), ""

    def _with_figure(self, question: Question, chosen: list[Sentence], budget: int) -> list[Sentence]:
        """An answer to a question for a number, with the sentence beside its first one that has such a number where none of its own does."""
        if question.kind != "number" or any(quantity_answers(question, sentence.text) for sentence in chosen):
            return chosen
        best = chosen[0]
        sentences = self._ranker.sentences(self._document(best.document))
        beside = [sentences[best.position + step] for step in BESIDE if 0 <= best.position + step < len(sentences)]
        near = [other for other in beside if other.section == best.section and other.kind in ("prose", "item")]
        figure = next((other for other in near if quantity_answers(question, other.text)), None)
        if not figure or length([best, figure]) > budget:
            return chosen
        kept = [best, figure, *(sentence for sentence in chosen[1:] if sentence != figure)]
        while len(kept) > 2 and length(kept) > budget:
            kept.pop()
        return kept

    def _signature(self, sentence: Sentence) -> Sentence | None:
        """The line in which the author of a signed stretch gives a name, in the same section; None for a stretch without one."""
        return next(
            (
                other
                for other in self._ranker.sentences(self._document(sentence.document))
                if sentence.speaker and other.section == sentence.section and other.text.strip() == sentence.speaker
            ),
            None,
        )

    def _neighbourhood(self, question: Question, found: Sequence[Scored], budget: int, most: int) -> list[Sentence]:
        """The best sentences, neighbours of the best one raised; stretches that belong together in report order, the best stretch first."""
        best = found[0].sentence
        company = SAME_BLOCK * found[0].score if question.kind != "definition" else 0.0
        scores = {
            (item.sentence.document, item.sentence.position): (
                item.score + (company if (item.sentence.document, item.sentence.block) == (best.document, best.block) else 0.0),
                item.sentence,
            )
            for item in found
        }
        sentences = self._ranker.sentences(self._document(best.document))
        shares = NEIGHBOURS_OF_LEAD if question.kind != "definition" and _LEAD.search(best.text) else NEIGHBOURS[question.kind]
        for step, share in enumerate(shares, 1):
            position = best.position + step
            if (
                0 <= position < len(sentences)
                and sentences[position].section == best.section
                and sentences[position].kind not in ("heading", "contents", "figure", "abbreviation")
            ):
                key = (best.document, position)
                scores[key] = (
                    max(scores.get(key, (0.0, best))[0], share * found[0].score + 0.4 * scores.get(key, (0.0, best))[0]),
                    sentences[position],
                )
        scores[(best.document, best.position)] = (found[0].score + 1.0, best)
        chosen: list[Sentence] = self._leant_on(sentences, best, budget)
        least = COMPANY_SHARE * found[0].score
        for score, sentence in sorted(scores.values(), key=lambda pair: (-pair[0], pair[1].document, pair[1].position)):
            if len(chosen) == most or (chosen and score < least):
                break
            if not chosen or (
                sentence not in chosen
                and length(chosen) + len(sentence.text) <= budget
                and not any(share_pairs(character_pairs(sentence.text), character_pairs(other.text), REPEATED) for other in chosen)
            ):
                chosen.append(sentence)
        return _reading_order(chosen)

    def _leant_on(self, sentences: Sequence[Sentence], best: Sentence, budget: int) -> list[Sentence]:
        """A sentence that leaves open of what it speaks, with the one before in its paragraph, which says so; else nothing."""
        before = sentences[best.position - 1] if best.position and _GOES_ON.match(best.text) else None
        fits = before and before.block == best.block and length([before, best]) <= budget
        return [best, before] if before and fits else []

    def _definition(self, question: Question, found: Sequence[Scored], budget: int, most: int) -> list[Sentence]:
        """The defining sentence with what follows it; before it, for an acronym that it leaves unexplained, the sentence that spells it out."""
        chosen = self._neighbourhood(question, found, budget, most)
        for name in question.names:
            spelled = re.compile(
                rf"[\u4e00-\u9fffA-Za-z -]{{4,}}[（(]\s*{re.escape(name)}\s*[)）,，]|(?<![A-Za-z]){re.escape(name)}\s*[（(][^）)]{{4,}}[)）]"
            )
            if any(spelled.search(sentence.text) for sentence in chosen):
                return chosen
            if first := next((item.sentence for item in found if spelled.search(item.sentence.text)), None):
                rest = [sentence for sentence in chosen if sentence != first]
                while rest[1:] and length([first, *rest]) > budget:
                    rest.pop()
                return [*rest[:1], first, *rest[1:]] if length([first, *rest]) <= budget else [first, *rest][:2]
        return chosen

    def _enumeration(self, question: Question, found: Sequence[Scored], budget: int) -> list[Sentence]:
        """The whole of the list that the best sentence belongs to or leads in to, or of a list nearby that has as many entries as asked for.

        Empty when there is none, and where the question is about one entry of it.
        """
        best, wanted = found[0].sentence, asked_count(question.text)
        lists = {
            item.sentence.position: made
            for item in found[:CONTENDERS]
            if item.score >= LISTED_SHARE * found[0].score and item.sentence.document == best.document
            if (made := enumeration_at(self._ranker.sentences(self._document(best.document)), item.sentence.position))
        }
        exact = (
            next((made for made in lists.values() if made.count == wanted), None)
            if _COUNTED.search(question.text) or question.kind == "list"
            else None
        )
        made = exact or lists.get(best.position)
        if not made or (not exact and not self._asks_for(question, best, made)):
            return []
        if length(made.sentences) <= budget:
            return made.sentences
        heads = made.heads
        if length(heads) > budget and made.lead and made.lead not in made.entries[0] and len(made.lead.text) > 60:
            heads = heads[1:]
        if length(heads) > budget:
            heads = [first_clause(head) for head in heads]
        while len(heads) > 1 and length(heads) > budget:
            heads.pop()
        return heads

    def _asks_for(self, question: Question, best: Sentence, made: Enumeration) -> bool:
        """Whether a question that does not say how many entries it wants asks for a list in which its best sentence was found."""
        if best == made.lead or made.form == "numbers":
            return True
        if question.kind != "list" or made.form != "bullets" or _LEAD.search(best.text):
            return False  # a bullet that announces a list of its own belongs to that and not to its neighbours
        return not is_about(made, question.text, best.position)

    def _whole(self, question: Question, chosen: Sequence[Sentence], budget: int) -> list[Sentence]:
        """An answer in which every sentence that only announces ("for three reasons:") is followed by what it announces.

        Where that does not fit, the announcement goes; the first sentence's list is kept whole, even beyond the budget.
        """
        made: list[Sentence] = []
        for sentence in chosen:
            if sentence in made:
                continue
            if not sentence.text.rstrip().endswith(("：", ":")):
                made.append(sentence)
                continue
            announced = enumeration_at(self._ranker.sentences(self._document(sentence.document)), sentence.position)
            named = announced.heads[1:] if announced and announced.lead == sentence != announced.entries[0][0] else []
            held = [item for item in made if item in named]
            rest = [item for item in made if item not in held]
            whole = [sentence, *named]
            if named and (not rest or length([*rest, *whole]) <= budget):
                made = [*rest, *whole]
        while len(made) > 1 and length(made) > 1.5 * budget and question.kind not in LONG_KINDS:
            made.pop()
        return made or list(chosen[:1])

    def _abbreviation(self, question: Question, found: Sequence[Scored]) -> Sentence | None:
        """The row whose key is a name of the question, letter for letter."""
        rows = [item.sentence for item in found if item.sentence.kind == "abbreviation"]
        for name in question.names:
            for row in rows:
                if re.match(rf"{re.escape(name)}(?![A-Za-z0-9])", row.text.lstrip("| ")):
                    return row
        for name in question.names:
            for row in rows:
                if re.match(rf"{re.escape(name)}(?![A-Za-z0-9])", row.text.lstrip("| "), re.IGNORECASE):
                    return row
        return None

    def _compare(
        self, question: Question, found: Sequence[Scored], reports: Sequence[Document], budget: int, most: int
    ) -> tuple[list[Sentence], str]:
        """A stretch for each report that speaks of it; a note names the silent ones."""
        wanted = [document for document in reports if document.id in question.reports] if len(question.reports) > 1 else list(reports)
        best = found[0].score
        chosen: list[Sentence] = []
        silent: list[Document] = []
        speaking = [document for document in wanted if any(item.sentence.document == document.id for item in found)][:4]
        for document in speaking:
            own = [item for item in found if item.sentence.document == document.id]
            if own[0].score < 0.4 * best:
                silent.append(document)
                continue
            share = max(1, len(speaking))
            part = _stretch(question, own, self._repeated_headings(document.id), max(1, most // share), budget // share)
            chosen += part
        silent += [document for document in wanted if document not in speaking and len(question.reports) > 1]
        heard = {document.id.rpartition(".")[0] or document.id for document in speaking if document not in silent}
        other = {document.id.rpartition(".")[0] for document in wanted if document.language == question.language} - {""}
        titles = [  # an edition in another language than the question's is not missed where there is one in its own, or where one has spoken
            document.title
            for document in silent
            if document.id.rpartition(".")[0] not in heard
            and (document.language == question.language or document.id.rpartition(".")[0] not in other)
        ]
        zh = question.language == "zh"
        note = (
            ("没有找到相关内容的报告：" if zh else "Nothing found in: ") + ("、" if zh else ", ").join(titles)
            if titles and len(wanted) < 6
            else ""
        )
        return chosen or [found[0].sentence], note

    def _repeated_headings(self, document: str) -> frozenset[str]:
        """Headings below the first level that several sections share, such as "Summary"."""
        paths = {sentence.section for sentence in self._ranker.sentences(self._document(document))}
        counts = Counter(name for path in paths for name in path[1:])
        return frozenset(name for name, count in counts.items() if count > 1)

    def _cite(self, sentences: Sequence[Sentence], scored: Sequence[Scored], start: int) -> list[Citation]:
        by_place = {(item.sentence.document, item.sentence.position): item for item in scored}
        citations = []
        for n, sentence in enumerate(sentences, start):
            document = self._document(sentence.document)
            item = by_place.get((sentence.document, sentence.position))
            chunk = (
                item.hit.chunk.id
                if item
                else next((other.hit.chunk.id for other in scored if other.sentence.document == sentence.document), "")
            )
            citations.append(
                Citation(
                    n=n,
                    document=document.id,
                    title=document.title,
                    section=" / ".join(sentence.section),
                    page=sentence.page,
                    start=sentence.start,
                    end=sentence.end,
                    quote=document.text[sentence.start : sentence.end],
                    chunk=chunk,
                    score=_relevance(item.score) if item else 0.0,
                )
            )
        return citations

    def _claim(self, question: Question, citation: Citation, sentence: Sentence) -> Claim:
        text = citation.quote
        verdict, why = check(text, [citation.quote])
        emphasis = None
        if question.kind == "number" and citation.n == 1 and (spans := quantity_answers(question, text)):
            emphasis = _nearest(spans, question, text)
        return Claim(text, (citation.n,), verdict, why, emphasis)


def _unspelled(question: Question) -> str:
    name = question.names[0]
    return f"没有找到 {name} 代表什么。" if question.language == "zh" else f"I did not find what {name} stands for."


def _spelling(question: Question, found: Sequence[Scored]) -> Sentence | None:
    """The first sentence that says what a name of the question is or spells it out."""
    for name in map(re.escape, question.names):
        said = re.compile(
            rf"(?<![A-Za-z0-9]){name}(?:\s*[（(][^）)]{{4,}}[)）]|\s?(?:，?即|，?是指|是(?![否不在由以])|指的?是?)|\s(?:is|are) (?:the|a|an|short)\b|\s(?:stands|refers|means)\b)"
            rf"|[\u4e00-\u9fffA-Za-z -]{{4,}}[（(]\s*{name}\s*[)）]"
        )
        if sentence := next((item.sentence for item in found if said.search(item.sentence.text)), None):
            return sentence
    return None


def quotable(question: Question, scored: Sequence[Scored]) -> list[Scored]:
    """Sentences that may be quoted, best first: no headings; questions only where there is nothing else, signatures only where a person is asked for.

    Rows of abbreviations and sentences that only lead in to a list stand behind the rest, where nothing of the kind is asked for.
    """
    kept = [item for item in scored if item.sentence.kind not in ("heading", "contents")]
    kept = [item for item in kept if not item.sentence.text.rstrip().endswith(("？", "?"))] or kept
    if question.kind not in ("person", "entity"):
        kept = [item for item in kept if not item.sentence.speaker or item.sentence.speaker != item.sentence.text.strip()]
    rows_last = question.kind not in ("abbreviation", "entity", "definition")
    leads_last = question.kind != "list"
    kept.sort(
        key=lambda item: (
            (rows_last and item.sentence.kind == "abbreviation")
            or (leads_last and item.sentence.text.rstrip().endswith(("：", ":")))
            or _is_debris(item.sentence)
        )
    )
    return kept


def _preferred(question: Question, found: Sequence[Scored]) -> Sequence[Scored]:
    """The sentences, best first; where a definition is asked for, those that define the very subject are raised, and lowered is what speaks of
    something that belongs to it ("the use of X") or leaves open of what it speaks ("it ...")."""
    if not found or question.kind != "definition":
        return found
    asked = _asked_for(question)
    glossed = _glossed(asked, found)
    subjects = [*asked, *glossed]
    if not subjects:
        return found
    if not any(_defines(subjects).search(item.sentence.text) for item in found):
        subjects += _headed_by(subjects, found)
    defining, belonging, described = _defines(subjects), _belongs_to(subjects), _says_what_it_is(subjects)
    top = found[0].score

    def gained(item: Scored) -> float:
        text = item.sentence.text
        if defining.search(text) and not belonging.match(text):
            # what only has the Chinese name shares no word with the question, which says nothing against it
            least = top if any(text.startswith(name) for name in glossed) else 0.0
            return max(item.score, least) + DEFINING * top
        if described.match(text):
            return item.score + DESCRIBING * top
        return item.score - (BELONGING * top if belonging.match(text) or _IT.match(text) else 0.0)

    return sorted((replace(item, score=gained(item)) for item in found), key=lambda item: -item.score)


def _asked_for(question: Question) -> list[str]:
    """What a definition is asked of."""
    quoted = re.findall(r"[“\"「]([^”\"」]{2,20})[”\"」]", question.text)
    whole = [question.core] if question.language == "en" else [piece for piece in question.core.split() if len(piece) > 1]
    named = [name for name in question.names if question.language == "zh" or re.search(r"[A-Z]", name[1:])]
    return list(dict.fromkeys([*quoted, *whole, *named]))


def _glossed(asked: Sequence[str], found: Sequence[Scored]) -> list[str]:
    """The names that a report in Chinese has for what a question names in Latin letters: "扩散模型" of "扩散模型（diffusion model）"."""
    texts = [item.sentence.text for item in found[:GLOSSES_AMONG]]
    names: set[str] = set()
    for name in filter(str.isascii, asked):
        gloss = re.compile(rf"([\u4e00-\u9fff]{{2,12}})\s?[（(]\s?{re.escape(name)}s?\s?[)）,，]", re.IGNORECASE)
        for run in {match[1] for text in texts for match in gloss.finditer(text)}:
            tails = (run[start:] for start in range(len(run) - 1) if sum(text.count(run[start:]) for text in texts) > 1)
            names.update(list(tails)[:1])
    return sorted(names)


def _headed_by(subjects: Sequence[str], found: Sequence[Scored]) -> list[str]:
    """What a heading speaks of that begins with a subject: of "潮流" under the heading "潮流的新型电站" the plants."""
    named = re.compile(rf"(?:{'|'.join(map(re.escape, subjects))})的([\u4e00-\u9fff]{{2,12}})$")
    headings = dict.fromkeys(heading for item in found for heading in item.sentence.section)
    return [match[1] for heading in headings if (match := named.search(heading))]


def _defines(subjects: Sequence[str]) -> re.Pattern[str]:
    """What a sentence says that defines a subject: the subject and, right behind it, a word of defining."""
    names = "|".join(map(re.escape, subjects))
    return re.compile(
        rf"(?:^|[\s，。；：、“”\"（(])(?:{names})[”\"]?\s?(?:[（(][^）)]{{2,60}}[)）])?\s?(?:[\u4e00-\u9fff]{{0,4}}?(?:是指|指的是|旨在)|[\u4e00-\u9fff]{{0,4}}?是(?![否不])|，?即|指)"
        rf"|^(?:{names})[”\"]?\s?[：:]|\b(?:{names})\b(?: \([^)]{{2,60}}\))? (?:is|are|means|refers)\b|(?:称为|叫做|称作|被称为|称之为|known as|called) ?[“\"]?(?:{names})",
        re.IGNORECASE,
    )


def _belongs_to(subjects: Sequence[str]) -> re.Pattern[str]:
    """A sentence that begins with something that belongs to a subject."""
    return re.compile(rf"[“\"]?(?:{'|'.join(map(re.escape, subjects))})[”\"]?\s?(?:[（(][^）)]{{2,60}}[)）])?(?:的|['’]s\b)", re.IGNORECASE)


def _says_what_it_is(subjects: Sequence[str]) -> re.Pattern[str]:
    """A sentence that begins with a subject and says of what kind it is, further on."""
    return re.compile(
        rf"[“\"]?(?:{'|'.join(map(re.escape, subjects))})[”\"]?\s?(?:[（(][^）)]{{2,60}}[)）])?(?!\s?的)[^。；：:]{{0,60}}(?:是|作为|为)[^。；]{{2,80}}的(?:[\u4e00-\u9fff]{{0,6}}){GENUS}"
        rf"|(?:{'|'.join(map(re.escape, subjects))})\b[^.;:]{{0,80}}\bis (?:an?|the)\b",
        re.IGNORECASE,
    )


def _stretch(question: Question, own: Sequence[Scored], repeated: frozenset[str], most: int, budget: int) -> list[Sentence]:
    """What one report says in a comparison: its best sentences, those that sum up their section or quote an expert asked for before others."""
    top = own[0].score
    by_expert = bool(_EXPERT.search(question.text))

    def gained(item: Scored) -> float:
        return item.score + top * (HEADED * _headed(item.sentence, repeated) + EXPERT * (by_expert and bool(item.sentence.speaker)))

    chosen: list[Scored] = []
    for item in distinct(sorted(own, key=lambda item: (-gained(item), item.sentence.position))):
        fits = sum(len(other.sentence.text) + 4 for other in chosen) + len(item.sentence.text) <= budget
        if len(chosen) < most and (not chosen or (item.score >= COMPARED_SHARE * top and fits)):
            chosen.append(item)
    return [item.sentence for item in sorted(chosen, key=lambda item: (-item.score, item.sentence.position))]


def _headed(sentence: Sentence, repeated: frozenset[str]) -> float:
    """How much of what its heading announces a sentence says, 0 to 1; headings that are `repeated` announce nothing."""
    telling = [name for name in sentence.section if name not in repeated]
    wanted = {term for term in terms(telling[-1]) if len(term) > 1} if telling else set()
    return len(wanted & set(terms(sentence.text))) / len(wanted) if wanted else 0.0


def _is_debris(sentence: Sentence) -> bool:
    """Whether a sentence is a string of labels, as charts leave them: parted by strokes, and never ended."""
    return (
        sentence.kind == "prose"
        and len(re.findall(r"\s[/|]\s", sentence.text)) >= 4
        and not re.search(r"[。.；;！!？?]\s*$", sentence.text)
    )


def _relevance(score: float) -> float:
    """A sentence's score on a scale from 0 to 1 that people can read; higher is better."""
    return round(max(score, 0.0) / (1.0 + max(score, 0.0)), 4)


def _reading_order(chosen: Sequence[Sentence]) -> list[Sentence]:
    """The best sentence (the first given) and what follows it in its section; then the rest, section by section in report order."""
    best = chosen[0]
    order = {(sentence.document, sentence.section): place for place, sentence in reversed(list(enumerate(chosen)))}
    before = {
        sentence
        for sentence in chosen
        if (sentence.document, sentence.section) == (best.document, best.section) and sentence.position < best.position
    }
    return sorted(chosen, key=lambda sentence: (sentence in before, order[(sentence.document, sentence.section)], sentence.position))


def _nearest(spans: Sequence[tuple[int, int]], question: Question, text: str) -> tuple[int, int]:
    """The span that stands nearest to words of the question."""
    words = [piece for piece in re.split(r"\s+", question.core) if piece]
    bits = {piece[i : i + 2] for piece in words for i in range(len(piece) - 1)}
    places = [i for i in range(len(text) - 1) if text[i : i + 2] in bits]
    return min(spans, key=lambda span: (min((abs(span[0] - place) for place in places), default=0), span[0]))
