"""A model's running text to claims that are cited and checked, sentence by sentence, while it comes in.

The model's markers are hints and nothing more: what a sentence cites is found here, among the sentences of the passages that the model was
given, and judged by `rag.answer.verify`. Gave up on the model's layout: headings, tables, links and images go, lists become sentences.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from rag.answer.verify import check as read_check
from rag.answer.verify import unfounded
from rag.index.lexical import stem, terms
from rag.llm.prompts import INVISIBLE, NO_ANSWER, Prompt, Source
from rag.llm.text import APPEALS, DECORATION, HEADING, LINK, MARKER, OPENING, TAG, gives_orders, markers, plain
from rag.rules.verify import check
from rag.search.dedupe import Told, parted, shared_out
from rag.search.question import EN_STOP, language_of, strip_asking
from rag.search.sentences import Sentence
from rag.text.chunk import split_sentences
from rag.text.quantities import quantities
from rag.types import Citation, Claim, Document, FloatMatrix, Hit, Support, Verdict

SOURCES = 10
"""Passages that a model is given at most."""
TOGETHER = 3
"""Sentences that may support one claim together."""
LOOKED_AT = 6
"""Sentences of the passages that are tried one by one for a claim, those that share most with it."""
NEAR = 0.5
"""Share of a claim's terms from which on a sentence is what the claim is about, right or wrong."""
FRAGMENT = 2
"""A sentence of so few terms, figures aside, says something only together with its question: "80 %"."""
ECHO = 0.35
"""Likeness to our own instructions from which on a sentence without support repeats them, in other words perhaps."""
REASONS: dict[str, dict[str, str]] = {
    "zh": {"partial": "所引原文只支持其中一部分", "unsupported": "所引原文没有这个意思"},
    "en": {"partial": "the cited text supports only part of this", "unsupported": "the cited text does not say this"},
}

_RANK: dict[Verdict, int] = {"supported": 3, "partial": 2, "unsupported": 1, "uncited": 0}


_STOP = frozenset(stem(word) for word in EN_STOP)


def _tells(term: str) -> bool:
    """Whether a term says something by itself: no figure, no function word, no lone character."""
    return len(term) > 1 and not term.isdigit() and term not in _STOP


def sources_of(
    hits: Sequence[Hit],
    sentences_of: Callable[[Document], Sequence[Sentence]],
    document: Callable[[str], Document],
    question: str,
    first: Sequence[Citation] = (),
) -> list[Source]:
    """The passages of the hits as sources: those that hold what `first` cites in front, then as ranked; orders to a model left out.

    What repeats a better passage on the question is left out too, and no report takes more than a part of them while others have
    something to say.
    """
    cited = [(citation.document, citation.start) for citation in first]
    held = {
        hit.chunk.id: [
            place for place, (name, start) in enumerate(cited) if name == hit.chunk.document and hit.chunk.start <= start < hit.chunk.end
        ]
        for hit in hits
    }
    ranked = sorted(hits, key=lambda hit: min(held[hit.chunk.id], default=len(cited)))
    asked = dict.fromkeys(terms(question), 1.0)
    ranked, _ = parted(ranked, lambda hit: Told.of(hit.chunk.document, hit.text, asked), len(ranked))
    found: list[Source] = []
    for hit in ranked:
        report = document(hit.chunk.document)
        inside = tuple(
            sentence
            for sentence in sentences_of(report)
            if hit.chunk.start <= sentence.start < hit.chunk.end and sentence.kind != "contents" and not gives_orders(sentence.text)
        )
        if not any(sentence.kind != "heading" for sentence in inside):
            continue
        section = " / ".join(part for part in hit.chunk.section if not gives_orders(part))
        title = "" if gives_orders(report.title) else report.title
        heading = " · ".join(str(part) for part in (title, report.publisher, report.year, section) if part)
        found.append(Source(len(found) + 1, INVISIBLE.sub("", " ".join(heading.split())), hit.chunk.id, hit.fused, inside, report.title))
    kept = shared_out(found, lambda source: source.sentences[0].document, SOURCES)
    return [replace(source, number=number) for number, source in enumerate(kept, 1)]


@dataclass(slots=True)
class Prose:
    """Takes a model's answer in pieces and gives its sentences back as claims, each with citations whose numbers are final."""

    sources: Sequence[Source]
    language: str
    strict: bool = False
    """Leaves out sentences that are not supported."""
    question: str = ""
    """What is answered; a sentence that is only a figure or a name is read with it."""
    prompt: Prompt | None = None
    """What the model was sent, which it must not repeat."""
    support: Support | None = None
    """A model that reads claim and evidence; None while there is none, and wording decides. Figures and names are checked in any case."""
    encode: Callable[[Sequence[str]], FloatMatrix] | None = None
    """By which an echo of the prompt in other words is known."""
    citations: list[Citation] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    declined: bool = False
    """Whether the model said that the passages do not answer."""
    foreign: int = 0
    """Sentences that were written in another language than that of the question."""
    _pending: str = ""
    _lead: str = ""
    _index: list[tuple[Source, Sentence, frozenset[str]]] = field(default_factory=list)

    def feed(self, piece: str) -> Iterator[tuple[Claim, tuple[Citation, ...]]]:
        """The sentences that this piece completes."""
        if self.prompt and self.prompt.fence in (whole := self._pending + piece):
            self._pending, piece = "", whole.replace(self.prompt.fence, "")
        # an image is a link here, so that its "!" ends no sentence; long runs of blanks would only cost time
        self._pending = re.sub(r"!\[", "[", re.sub(r"([ \t])[ \t]+|(\n)\s+", r"\1\2", self._pending + piece))
        while (end := self._complete()) is not None:
            sentence, self._pending = self._pending[:end], self._pending[end:]
            yield from self._said(sentence)

    def finish(self, cut: bool = False) -> Iterator[tuple[Claim, tuple[Citation, ...]]]:
        """The last sentence; one that was cut off in the middle is dropped."""
        for start, end in split_sentences(self._pending):
            sentence = self._pending[start:end]
            if not cut or re.search(r"[。！？.!?][”\"’」）)\]】]*\s*$", sentence):
                yield from self._said(sentence)
        if self._lead and not cut and self._known(self._lead):
            lead, self._lead = self._lead, ""
            yield from self._judged(lead, ())
        self._pending = self._lead = ""

    @property
    def draft(self) -> str:
        """What has come of the sentence that is not complete, as far as it cannot turn out to be a link, an image or a marker."""
        rest = self._pending
        if HEADING.match(rest) or rest.lstrip().startswith(("#", "|", "```")):
            return self._lead
        openings = [match.start() for match in OPENING.finditer(rest)]
        for place in openings:
            closed = re.match(r"!?\[[^\]\n]*\][^(\[]|<[^>\n]*>", rest[place:])
            if not closed:
                rest = rest[:place]
                break
        if self.prompt:
            rest = re.sub(r"#[0-9a-f]{0,8}#?$", "", rest)  # the mark around passages, or the beginning of it
        words = markers(plain(DECORATION.sub("", rest)))[0]
        return (self._lead + words) if self._lead else words

    def _complete(self) -> int | None:
        """Where the first sentence of what is pending ends with its markers; None while that cannot be told."""
        spans = split_sentences(self._pending)
        if not spans:
            return None
        newline = self._pending.find("\n", len(self._pending) - len(self._pending.lstrip()))
        for place, (_, end) in enumerate(spans):
            while match := MARKER.match(self._pending, end):
                end = match.end()
            if closing := re.match(r"[。．.！？!?]+", self._pending[end:]):  # 渗透率达到 70%。[1]。
                end += closing.end()
            if 0 <= newline <= end:
                return newline + 1
            behind = self._pending[end:].lstrip(" ")
            if place + 1 < len(spans) and behind and behind[0] not in "[【［〔(（":
                return end
            if behind and behind[0] in "[【［〔(（" and len(behind) > 24:
                return end
            if place + 1 == len(spans):
                return None
        return None

    def _said(self, raw: str) -> Iterator[tuple[Claim, tuple[Citation, ...]]]:
        if HEADING.match(raw) or not re.search(r"\w", TAG.sub("", LINK.sub("", raw)) if "](" in raw or "<" in raw else raw):
            return  # nothing but a heading, a link or a tag
        listed = bool(MARKER.match(raw.lstrip()))
        text, numbers = markers(plain(DECORATION.sub("", raw.strip())), len(self.sources))
        text = self._unlabelled(DECORATION.sub("", text))
        if not re.search(r"\w", text):  # markers that stand alone tell nothing new: what a sentence cites is found without them
            return
        if any(sentence.rstrip("。. ") == text.rstrip("。. ") for sentence in NO_ANSWER.values()):
            self.declined = True
            return
        if text.endswith((":", "：")) and len(text) < 80:  # it leads in to a list and says nothing alone
            self._lead = text + ("" if text.endswith("：") else " ") if self._known(text) else ""
            return
        if self._names_a_source(text, listed) or self._asks_again(text):
            return
        text, self._lead = self._lead + text, ""
        if any(claim.text == text for claim in self.claims):  # small models go in circles
            return
        yield from self._judged(text, numbers)

    def _judged(self, text: str, numbers: Sequence[int]) -> Iterator[tuple[Claim, tuple[Citation, ...]]]:
        found, verdict, why = self._support(text, numbers)
        if verdict != "supported" and self._echoes(text):
            return
        if verdict in ("uncited", "supported", "partial") and (absent := self._absent(text, verdict)):
            verdict, why = "unsupported", absent
        self.foreign += language_of(text) != ("zh" if self.language == "zh" else "en")
        if APPEALS.search(text):
            verdict = "unsupported"
            why = "这是对读者的要求，不是报告的陈述" if self.language == "zh" else "this asks something of the reader and states nothing"
        if self.strict and verdict in ("unsupported", "uncited"):
            return
        cited = tuple(dict.fromkeys(self._cite(source, sentence) for source, sentence in found))
        claim = Claim(text, tuple(citation.n for citation in cited), verdict, why)
        self.claims.append(claim)
        yield claim, cited

    def _support(self, text: str, numbers: Sequence[int]) -> tuple[list[tuple[Source, Sentence]], Verdict, str]:
        """The sentences that support a claim best: first of the passages that it names, then of all."""
        wanted = frozenset(terms(text))
        named = [source.number for source in self.sources if source.number in numbers]
        best: tuple[list[tuple[Source, Sentence]], Verdict, str] = ([], "uncited", "")
        for allowed in ([named] if named else []) + [[source.number for source in self.sources]]:
            found = self._best(text, wanted, frozenset(allowed))
            if found and (not best[0] or _RANK[found[1]] > _RANK[best[1]]):
                best = found
            if best[1] == "supported":
                return best
        if not named and best[1] == "unsupported":
            covered = wanted & frozenset().union(*(frozenset(terms(sentence.text)) for _, sentence in best[0]))
            if len(covered) < NEAR * len(wanted):
                return [], "uncited", ""
        return best

    def _best(
        self, text: str, wanted: frozenset[str], allowed: frozenset[int]
    ) -> tuple[list[tuple[Source, Sentence]], Verdict, str] | None:
        asked = frozenset(terms(strip_asking(self.question))) if self.question else frozenset()
        near = sorted(
            (
                (-len(wanted & own), -len(asked & own), len(own), place)
                for place, (source, _, own) in enumerate(self._indexed())
                if source.number in allowed and wanted & own
            ),
        )[:LOOKED_AT]
        if not near:
            return None
        candidates = [self._index[place][:2] for *_, place in near]
        best: tuple[list[tuple[Source, Sentence]], Verdict, str] | None = None
        for candidate in candidates:
            verdict, why = self._check(text, [candidate])
            if best is None or _RANK[verdict] > _RANK[best[1]]:
                best = ([candidate], verdict, why)
            if verdict == "supported":
                return best
        group, covered = [candidates[0]], wanted & self._terms_of(candidates[0])
        for _ in range(TOGETHER - 1):
            gain, more = max(
                (
                    (len((wanted - covered) & self._terms_of(candidate)), -place)
                    for place, candidate in enumerate(candidates)
                    if candidate not in group
                ),
                default=(0, 0),
            )
            if not gain:
                break
            group = [*group, candidates[-more]]
            covered |= wanted & self._terms_of(candidates[-more])
            verdict, why = self._check(text, sorted(group, key=lambda pair: (pair[0].number, pair[1].position)))
            if _RANK[verdict] > _RANK[best[1]]:
                best = (sorted(group, key=lambda pair: (pair[0].number, pair[1].position)), verdict, why)
            if verdict == "supported":
                break
        return best

    def _check(self, text: str, pairs: Sequence[tuple[Source, Sentence]]) -> tuple[Verdict, str]:
        quotes = [sentence.text for _, sentence in pairs]
        about = " ".join(dict.fromkeys(f"{source.heading} {' '.join(sentence.section)} {sentence.speaker}" for source, sentence in pairs))
        if self.question and len(self._content(text)) <= FRAGMENT:
            text = f"{strip_asking(self.question)} {text}"
        verdict, why = check(text, quotes, about) if self.support is None else read_check(text, quotes, about, self.support)
        if why and language_of(text) != self.language:  # the reason in the language of the question
            why = unfounded(text, quotes, about, self.language) or REASONS[self.language][verdict]
        return verdict, why

    def _absent(self, text: str, verdict: Verdict) -> str:
        """Why a sentence that names a figure, a date or a name cannot stand: no passage holds it, or none that says anything like it."""
        quotes = [sentence.text for _, sentence, _ in self._indexed()]
        about = " ".join(f"{source.heading} {' '.join(sentence.speaker for sentence in source.sentences)}" for source in self.sources)
        if why := unfounded(text, quotes, f"{about} {self.question}", self.language) if quotes else "":
            return why
        figure = next((text[each.start : each.end].strip() for each in quantities(text)), "")
        if verdict != "uncited" or not figure:
            return ""
        return f"没有一段原文这样说到 {figure}" if self.language == "zh" else f"no passage says this of {figure}"

    def _content(self, text: str) -> frozenset[str]:
        """The terms of a sentence without its figures and without those of the question."""
        for each in reversed(quantities(text)):
            text = f"{text[: each.start]} {text[each.end :]}"
        return frozenset(filter(_tells, terms(text))) - frozenset(terms(self.question))

    def _known(self, text: str) -> bool:
        """Whether a heading or label has a word that the question or the passages have; "The answer is:" has none."""
        held = frozenset(terms(self.question)).union(*(own for *_, own in self._indexed()))
        return any(term in held for term in filter(_tells, terms(text))) or not self.question

    def _unlabelled(self, text: str) -> str:
        """A sentence without a label in front that says nothing of the matter: "The answer is: 80 %" is "80 %"."""
        head, colon, rest = text.partition("：") if "：" in text else text.partition(": ")
        if colon and rest.strip() and len(head) < 40 and not self._known(head) and not quantities(head):
            return rest.strip()
        return text

    def _names_a_source(self, text: str, listed: bool) -> bool:
        """Whether a line only names a passage, as a list of references does: a number in front, and words of its heading."""
        own = frozenset(terms(text))
        return any(own and own <= frozenset(terms(source.heading)) for source in self.sources) and (listed or len(own) > FRAGMENT)

    def _asks_again(self, text: str) -> bool:
        """Whether a sentence is the question, which is no answer to it."""
        wanted = frozenset(terms(text))
        return text.endswith(("?", "？")) and len(wanted & frozenset(terms(self.question))) >= 0.8 * len(wanted)

    def _echoes(self, text: str) -> bool:
        """Whether a sentence repeats what the model was told, and is less like any passage."""
        if self.prompt is None:
            return False
        wanted = frozenset(terms(text))
        held = max((len(wanted & own) for *_, own in self._indexed()), default=0)
        said = max((len(wanted & frozenset(terms(line))) for line in self.prompt.lines), default=0)
        if said > held and said >= 0.8 * len(wanted):
            return True
        if self.encode is None or not wanted:
            return False
        quotes = [sentence.text for _, sentence, _ in self._indexed()]
        vectors = self.encode([text, *self.prompt.lines, *quotes])
        like = vectors[1:] @ vectors[0]
        ours, theirs = like[: len(self.prompt.lines)], like[len(self.prompt.lines) :]
        return bool(ours.max(initial=0.0) >= max(ECHO, theirs.max(initial=0.0)))

    def _indexed(self) -> list[tuple[Source, Sentence, frozenset[str]]]:
        if not self._index:
            self._index = [
                (source, sentence, frozenset(terms(sentence.text)))
                for source in self.sources
                for sentence in source.sentences
                if sentence.kind != "heading"
            ]
        return self._index

    def _terms_of(self, pair: tuple[Source, Sentence]) -> frozenset[str]:
        return next(own for source, sentence, own in self._indexed() if (source, sentence) == pair)

    def _cite(self, source: Source, sentence: Sentence) -> Citation:
        """The citation of a sentence; the same place keeps its number through the answer."""
        for citation in self.citations:
            if (citation.document, citation.start, citation.end) == (sentence.document, sentence.start, sentence.end):
                return citation
        citation = Citation(
            n=len(self.citations) + 1,
            document=sentence.document,
            title=source.title,
            section=" / ".join(sentence.section),
            page=sentence.page,
            start=sentence.start,
            end=sentence.end,
            quote=sentence.text,
            chunk=source.chunk,
            score=round(min(1.0, max(0.0, source.score)), 4),
        )
        self.citations.append(citation)
        return citation
