"""What a person asks to be done with the last answer: an item of it, more, less, other words, an example, the other language, whether it is
sure, again, in another form.

Without a language model nothing is rewritten: other words are another place that says it, the other language is the other edition's own
sentence. Where there is nothing of the kind, an honest line says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.answer.library import LANGUAGES
from rag.answer.material import Asked, Material, Piece, candidates, claims_of, editions, quoted, read
from rag.answer.overview import section_meant, section_told
from rag.answer.sections import arabic
from rag.answer.talk import line, nearest
from rag.answer.verify import figures_at_odds
from rag.index.lexical import terms
from rag.search.question import strip_asking
from rag.search.sentences import Sentence
from rag.text.chunk import split_sentences
from rag.types import Answer, Block, Citation, Document, Turn

MORE = 3
"""Sentences that are added at a time."""
SHORTER = 3
"""An answer of so many sentences as three becomes one of a third."""
AMONG = 24
"""The best sentences of a question among which other ones are looked for."""
CONSIDERED = 8
REPEATED = {
    "answer": (
        "再说一遍", "你刚才说什么", "重复一下", "把答案再发一次", "没听清", "第一个问题的答案是什么", "say that again", "repeat your answer", "what did you just say", "show me the list again",
        "what was the answer to my first question",
    ),
    "questions": (
        "我刚才问了什么", "我第一个问题是什么", "我都问过什么", "列出我问过的问题", "what did I ask", "what was my first question", "what did I ask first", "list my questions",
        "remind me what I asked",
    ),
}  # fmt: skip
SET = {
    "list": (
        "列成清单",
        "分点写",
        "用项目符号",
        "做成表格",
        "as a list",
        "bullet points please",
        "as a table",
        "number them",
        "step by step",
    ),
    "running": ("写成一段话", "不要分点", "连成一段", "as one paragraph", "in prose", "no bullets", "as running text"),
}
_ORDINALS = {
    word: place
    for place, words in enumerate(
        ("first one 1st", "second two 2nd", "third three 3rd", "fourth four 4th", "fifth five 5th", "sixth six 6th", "seventh seven 7th", "eighth eight 8th", "ninth nine 9th", "tenth ten 10th"), 1
    )
    for word in words.split()
}  # fmt: skip
_LAST = ("last", "final", "最后", "最末", "末")


def ordinal(text: str) -> int:
    """The place that a text names, counted from 1, or -1 for the last; 0 for none.

    >>> ordinal("第二条具体是什么？"), ordinal("the third one"), ordinal("最后一项呢"), ordinal("tell me more"), ordinal("item 10 pls"), ordinal("second one")
    (2, 3, -1, 0, 10, 2)
    """
    lowered = text.casefold()
    if any(word in lowered for word in _LAST):
        return -1
    if match := re.search(r"第\s*([一二三四五六七八九十]+|\d+)|(?<![\d.])(\d{1,2})(?![\d.])", lowered):
        return int(arabic(match[1] or match[2]))
    found = [_ORDINALS[word] for word in re.findall(r"[a-z0-9]+", lowered) if word in _ORDINALS]
    return found[0] if found else 0


@dataclass(frozen=True, slots=True)
class Before:
    """The answer that a message is about, and the question that it answered."""

    turn: Turn
    answer: Answer

    @property
    def query(self) -> str:
        """The standalone question."""
        return self.turn.query or self.turn.question

    @property
    def documents(self) -> list[str]:
        """Ids of the reports that it cited."""
        return list(dict.fromkeys(citation.document for citation in self.answer.citations))


def operate(material: Material, asked: Asked, wish: str, before: Before) -> Answer:
    """What a message wants of the last answer, as an answer."""
    operations = {
        "op_nth": nth,
        "op_more": more,
        "op_shorter": shorter,
        "op_simpler": other_words,
        "op_example": example,
        "op_translate": translated,
        "op_sure": sure,
        "op_repeat": again,
        "op_format": set_otherwise,
        "correction": corrected,
    }
    return operations[wish](material, asked, before)


def nth(material: Material, asked: Asked, before: Before) -> Answer:
    """One item of the last answer, with what its section says of it."""
    items = _items(before.answer)
    place = ordinal(asked.text)
    if not place:
        return more(material, asked, before)
    if place > len(items):
        return line(asked, f"上一个回答只有 {len(items)} 项。", f"The last answer has {len(items)} item{'s' * (len(items) != 1)} only.")
    citation = items[place - 1 if place > 0 else -1]
    document = material.shelf.document(citation.document)
    outline = material.shelf.outline(document.id)
    part = next((part for part in outline.parts if part.heading == (citation.start, citation.end)), None)
    if part:  # an item of a list of headings
        return section_told(material, asked, document, part)
    pieces = [Piece(document.id, span) for span in ((citation.start, citation.end), *_behind(material, document, citation))]
    return replace(quoted(material, asked, pieces), mode=before.answer.mode, query=citation.quote)


def _items(answer: Answer) -> list[Citation]:
    """What the claims of an answer cite, one each, without a first one that only leads in; the pieces of a lone claim that lists."""
    cited = [citations[0] for _, citations in claims_of(answer) if citations]
    if len(cited) > 1 and cited[0].quote.rstrip()[-1:] in "：:":
        cited = cited[1:]
    if len(cited) == 1:
        whole = cited[0]
        start = max(whole.quote.rfind("：", 0, len(whole.quote) // 2), whole.quote.find(": ")) + 1
        for sign in ("；", ";", "、", ","):
            if whole.quote.count(sign, start) > 1:
                return list(_pieces(whole, start, sign))
    return cited


def _pieces(whole: Citation, start: int, sign: str) -> Iterator[Citation]:
    """The stretches of a citation between signs."""
    for match in re.finditer(rf"[^{re.escape(sign)}]+", whole.quote[start:].rstrip("。. ")):
        text = match[0].strip()
        at = start + match.start() + match[0].index(text) if text else 0
        if text:
            yield replace(whole, start=whole.start + at, end=whole.start + at + len(text), quote=text)


def _behind(material: Material, document: Document, citation: Citation) -> list[tuple[int, int]]:
    """The sentences that share most words with an item in its own section: first those right behind it, then others."""
    sentences = material.sentences.of(document)
    here = next((s for s in sentences if s.start <= citation.start < s.end), None)
    if here is None:
        return []
    words = {term for term in terms(citation.quote) if len(term) > 1}
    near = [s for s in sentences if s.section == here.section and s is not here and s.kind in ("prose", "item")]
    shared = [(len(words & set(terms(s.text))), s) for s in near]
    best = sorted((pair for pair in shared if pair[0] * 4 >= len(words)), key=lambda pair: (-pair[0], pair[1].position))[: MORE - 1]
    if not best:
        best = [(0, s) for s in near if s.block == here.block and s.position > here.position][: MORE - 1]
    return [(s.start, s.end) for _, s in sorted(best, key=lambda pair: pair[1].position)]


def more(material: Material, asked: Asked, before: Before) -> Answer:
    """What else there is: of an overview the next sentences of its sections, else the next best evidence."""
    if before.answer.mode == "overview":
        told = _cited(before.answer)
        pieces = []
        for name in before.documents:
            outline = material.shelf.outline(name)
            sections = dict.fromkeys(tuple(c.section.split(" / ")) for c in before.answer.citations if c.document == name)
            for section in sections:
                part = outline.part(section) or outline.part(section[:1])
                rest = [span for span in part.points if not _overlaps(name, span, told)] if part else []
                pieces += [Piece(name, span, section[-1]) for span in rest[:1]]
        if pieces:
            return replace(quoted(material, asked, pieces), query=before.query)
    chosen = _next_best(material, before, before.query, MORE)
    if not chosen:
        return line(asked, "关于这个问题，报告里没有找到更多内容。", "I did not find more on this in the reports.")
    pieces = [Piece(s.document, (s.start, s.end)) for s in sorted(chosen, key=lambda s: (s.document, s.position))]
    return replace(quoted(material, asked, pieces), mode="extractive", query=before.query)


def other_words(material: Material, asked: Asked, before: Before) -> Answer:
    """Another place that says it."""
    chosen = _next_best(material, before, before.query, 2)
    if not chosen:
        return line(
            asked,
            "没有配置语言模型时不能改写，报告里也没有另一处换一种说法。",
            "Without a language model I cannot rephrase, and no other place of the reports says it in other words.",
        )
    note = (
        "没有配置语言模型时不能改写；这是报告里另一处的说法。"
        if asked.language == "zh"
        else "I cannot rephrase without a language model; this is how another place of the reports puts it."
    )
    pieces = [Piece(s.document, (s.start, s.end)) for s in chosen]
    return replace(quoted(material, asked, pieces, note), mode="extractive", query=before.query)


def example(material: Material, asked: Asked, before: Before) -> Answer:
    """Sentences that give an example of what was answered, says the reader; else the most particular ones, with figures and names."""
    wanted = f"{before.query.rstrip('？?。. ')}{'，' if asked.language == 'zh' else ', '}{asked.text}"
    chosen = _next_best(material, before, wanted, 2)
    if not chosen:
        return line(asked, "报告里没有找到相关的例子。", "I did not find an example of it in the reports.")
    pieces = [Piece(s.document, (s.start, s.end)) for s in chosen]
    return replace(quoted(material, asked, pieces), mode="extractive", query=wanted)


def _next_best(material: Material, before: Before, question: str, most: int) -> list[Sentence]:
    """The best sentences on a question that the last answer did not quote: those that the reader takes, or its best one."""
    told = _cited(before.answer)
    found = [
        sentence
        for sentence in candidates(material, question, before.documents, AMONG)
        if not _overlaps(sentence.document, (sentence.start, sentence.end), told)
    ][:CONSIDERED]
    logits = read(material, question, found)
    order = sorted(range(len(found)), key=lambda place: (-logits[place], place))
    return [found[place] for place in order if logits[place] > 0][:most] or [found[place] for place in order[:1]]


def shorter(material: Material, asked: Asked, before: Before) -> Answer:
    """The first third of the last answer; of one sentence its beginning up to a sign of rest."""
    claims, answer = before.answer.claims, before.answer
    if len(claims) > 1:
        return _kept(asked, answer, range(max(1, len(claims) // SHORTER)))
    citation = answer.citations[0]
    clause = re.match(r".{12,}?(?=[，；,;：:])", citation.quote)
    if not clause or len(clause[0]) > 0.7 * len(citation.quote):
        kept = _kept(asked, answer, range(1))
        return replace(kept, reason="已经是一句话，不能再短了。" if asked.language == "zh" else "It is one sentence already.")
    span = citation.start, citation.start + len(clause[0])
    return replace(quoted(material, asked, [Piece(citation.document, span)]), mode=answer.mode, query=before.query)


def _kept(asked: Asked, answer: Answer, places: range, reason: str = "") -> Answer:
    """The last answer with some of its claims only; citations are numbered anew."""
    claims, citations = [], []
    numbers: dict[int, int] = {}
    by_number = {citation.n: citation for citation in answer.citations}
    for place in places:
        claim = answer.claims[place]
        for n in claim.citations:
            if n not in numbers:
                numbers[n] = len(numbers) + 1
                citations.append(replace(by_number[n], n=numbers[n]))
        claims.append(replace(claim, citations=tuple(numbers[n] for n in claim.citations)))
    return replace(
        answer,
        question=asked.text,
        language=asked.language,
        claims=tuple(claims),
        citations=tuple(citations),
        reason=reason,
        suggestions=(),
    )


def translated(material: Material, asked: Asked, before: Before) -> Answer:
    """The sentences of the other edition that stand where those of the last answer stand."""
    own = {material.shelf.document(name).language for name in before.documents}
    said = asked.text.casefold()
    wanted = [code for code, names in LANGUAGES.items() if any(name.casefold() in said for name in names)]
    target = wanted[0] if len(wanted) == 1 else "en" if "zh" in own else "zh"
    if own == {target}:
        return _kept(replace(asked, text=asked.text), before.answer, range(len(before.answer.claims)))
    pieces = []
    for claim, citations in claims_of(before.answer):
        for citation in citations[:1]:
            document = material.shelf.document(citation.document)
            edition = next((d for d in editions(material, [document.id]) if d.language == target), None)
            span = aligned(document, material.shelf.document(edition.id), (citation.start, citation.end)) if edition else None
            if edition and span:
                heading = _heading_there(document, material.shelf.document(edition.id), claim.heading) if claim.heading else ""
                pieces.append(Piece(edition.id, span, heading))
    if not pieces:
        name = LANGUAGES[target][asked.language != "zh"]
        return line(
            asked,
            f"这份报告没有{name}版；没有配置语言模型时不能翻译。",
            f"There is no edition of this report in {name}, and without a language model I cannot translate.",
        )
    note = (
        f"这是报告{LANGUAGES[target][0]}版里对应的原文。"
        if asked.language == "zh"
        else f"This is what the {LANGUAGES[target][1]} edition of the report says there."
    )
    return replace(quoted(material, asked, pieces, note), mode=before.answer.mode, query=before.query, layout=before.answer.layout)


def aligned(document: Document, other: Document, span: tuple[int, int]) -> tuple[int, int] | None:
    """The place in another edition that says what a place says: the sentence of the same number in the block of the same number.

    None where the editions are not built alike.
    """
    if [_built(block) for block in document.blocks] != [_built(block) for block in other.blocks]:
        return None
    place = next((i for i, block in enumerate(document.blocks) if block.start <= span[0] < block.end), None)
    if place is None:
        return None
    here, there = document.blocks[place], other.blocks[place]
    mine = split_sentences(document.text[here.start : here.end])
    theirs = split_sentences(other.text[there.start : there.end])
    if not mine or not theirs:
        return None
    at = next((i for i, (_, end) in enumerate(mine) if span[0] - here.start < end), len(mine) - 1)
    start, end = theirs[at] if len(mine) == len(theirs) else (theirs[0][0], theirs[-1][1])
    return there.start + start, there.start + end


def _built(block: Block) -> tuple[bool, int]:
    """What the blocks of two editions share: which are headings, and how deep."""
    return block.kind == "heading", len(block.section)


def _heading_there(document: Document, other: Document, heading: str) -> str:
    """A heading as the other edition has it."""
    for here, there in zip(document.blocks, other.blocks, strict=False):
        if here.kind == "heading" and here.section[-1:] == (heading,) and there.section:
            return there.section[-1]
    return other.title if heading == document.title else ""


def sure(material: Material, asked: Asked, before: Before) -> Answer:
    """The last answer with its evidence checked again, and what the reports say against it: the same statement with another figure."""
    zh = asked.language == "zh"
    answer = before.answer
    rivals: list[Sentence] = []
    found = material.evidence(before.query).sentences[:AMONG]
    for citation in answer.citations[:MORE]:
        for item in found:
            sentence = item.sentence
            if not _overlaps(sentence.document, (sentence.start, sentence.end), _cited(answer)) and figures_at_odds(
                citation.quote, sentence.text
            ):
                rivals.append(sentence)
    exact = sum(material.shelf.document(c.document).text[c.start : c.end] == c.quote for c in answer.citations)
    note = (
        f"引用的 {exact} 处原文已逐字核对，与报告一致。"
        if zh
        else f"The {exact} cited place{'s' * (exact != 1)} stand in the reports word for word."
    )
    if rivals:
        note += "但报告里另有说法不同的数字，列在后面。" if zh else " Another place has a different figure; it stands below."
    else:
        note += "没有找到与之矛盾的说法。" if zh else " I found nothing in the reports that speaks against it."
    pieces = [Piece(c.document, (c.start, c.end), claim.heading) for claim, cited in claims_of(answer) for c in cited]
    pieces += [Piece(s.document, (s.start, s.end)) for s in dict.fromkeys(rivals)]
    return replace(quoted(material, asked, pieces, note), mode=answer.mode, query=before.query, layout=answer.layout)


def again(material: Material, asked: Asked, before: Before) -> Answer:
    """The last answer, the one that a message counts, or the questions that were asked."""
    turns = asked.history
    if nearest(material.words, asked.text, REPEATED, least=0.0) == "questions":
        place = ordinal(asked.text)
        if place > 0:
            said = turns[min(place, len(turns)) - 1].question
            return line(
                asked, f"你问的第 {min(place, len(turns))} 个问题是：“{said}”", f"Your question {min(place, len(turns))} was: “{said}”"
            )
        listed = "\n".join(f"{n}. {turn.question}" for n, turn in enumerate(turns, 1))
        return line(asked, f"你问过：\n{listed}", f"You asked:\n{listed}")
    return _kept(asked, before.answer, range(len(before.answer.claims)), before.answer.reason)


def set_otherwise(material: Material, asked: Asked, before: Before) -> Answer:
    """The last answer as a list or as running text."""
    wanted = nearest(material.words, asked.text, SET, least=0.0)
    answer = _kept(asked, before.answer, range(len(before.answer.claims)), before.answer.reason)
    if wanted == "running":
        return replace(answer, claims=tuple(replace(claim, heading="") for claim in answer.claims), layout="running")
    return replace(answer, layout="list")


def corrected(material: Material, asked: Asked, before: Before) -> Answer:
    """The last question again, with what is meant in the place of what was; where that has no answer, what the section of that name says."""
    meant = _meant(material, asked, before)
    answer = material.ask(_replaced(material, before.query, meant))
    if answer.abstained and (found := section_meant(material, replace(asked, text=meant))):
        answer = section_told(material, asked, *found)
    return replace(answer, question=asked.text)


def _meant(material: Material, asked: Asked, before: Before) -> str:
    """What a message says that the last question did not, in words that the reports use."""
    known = set(terms(before.query))
    pieces = [piece for piece in re.split(r"[\s，,。.；;！!、：:—]+", strip_asking(asked.text)) if piece]
    fresh = [piece for piece in pieces if not set(terms(piece)) <= known] or pieces
    spoken = [piece for piece in fresh if all(material.shelf.document_frequencies([term for term in terms(piece) if len(term) > 1]))]
    return " ".join(spoken or fresh)


def _replaced(material: Material, question: str, meant: str) -> str:
    """A question with what is meant in the place of those of its words that are nearest to it by the encoder's vectors."""
    core = strip_asking(question).split()
    windows = {" ".join(core[at : at + n]) for n in (1, 2, 3) for at in range(len(core) - n + 1)}
    there = sorted(window for window in windows if window in question)
    if not there:
        return f"{meant} {question}"
    cosines = material.words.encode(there) @ material.words.encode([meant])[0]
    return question.replace(max(zip(cosines.tolist(), map(len, there), there, strict=True))[2], meant, 1)


def _cited(answer: Answer) -> list[tuple[str, int, int]]:
    return [(citation.document, citation.start, citation.end) for citation in answer.citations]


def _overlaps(document: str, span: tuple[int, int], told: Sequence[tuple[str, int, int]]) -> bool:
    return any(name == document and start < span[1] and span[0] < end for name, start, end in told)
