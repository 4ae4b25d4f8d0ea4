"""One answer of a model while it is written, and whether it may take the place of the extract."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rag.answer.verify import unfounded
from rag.llm.prompts import CUT, Prompt, Source
from rag.llm.stream import Prose
from rag.llm.text import THINKING, VOID
from rag.types import Answer, Citation, Claim, FloatMatrix, Support

Step = tuple[Claim, tuple[Citation, ...]]


@dataclass(slots=True)
class Waiting:
    """What is waited for, or what has come of a sentence: the fields of `rag.chat.Writing`."""

    text: str
    stage: str = ""
    seconds: float | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.text, self.stage, self.seconds))


class Draft:
    """One answer of a model while it is written, and whether it may take the place of the extract."""

    def __init__(
        self,
        sources: Sequence[Source],
        extract: Answer,
        strictness: str,
        support: Support | None = None,
        encode: Callable[[Sequence[str]], FloatMatrix] | None = None,
    ):
        self._sources, self._extract, self._strict = sources, extract, strictness == "strict"
        self._support, self._encode = support, encode
        self._prose, self._cut, self._lacks = self._empty(None), False, ""
        self.seconds = 0.0
        """Spent on checking."""

    def _empty(self, prompt: Prompt | None) -> Prose:
        extract = self._extract
        return Prose(self._sources, extract.language, self._strict, extract.query, prompt, self._support, self._encode)

    def follow(self, prompt: Prompt, pieces: Iterable[str]) -> Iterator[Step | Waiting | None]:
        """Sentences as they are complete, in between what is waited for, and None where everything said so far is void."""
        self._prose, stage = self._empty(prompt), "reading"
        for piece in pieces:
            if piece == VOID:
                void, self._prose = bool(self._prose.claims), self._empty(prompt)
                if void:
                    yield None
            elif piece == CUT:
                self._cut = True
            elif piece == THINKING:
                stage = "thinking"
                yield Waiting("", stage)
            else:
                stage = "" if piece else stage
                yield from self._timed(self._prose.feed(piece))
                yield Waiting(self._prose.draft, stage, prompt.seconds if stage == "reading" else None)
        yield from self._timed(self._prose.finish(self._cut))

    def _timed(self, found: Iterator[Step]) -> Iterator[Step]:
        while True:
            began = time.perf_counter()
            step = next(found, None)
            self.seconds += time.perf_counter() - began
            if step is None:
                return
            yield step

    @property
    def said(self) -> bool:
        """Whether any sentence came out."""
        return bool(self._prose.claims)

    @property
    def refused(self) -> bool:
        """Whether the model's word that the passages do not answer is taken: only where strictness is wanted, since weak models give up easily."""
        return self._strict and self._prose.declined and not self.said

    def answer(self, model: str) -> Answer | None:
        """The whole answer; None where nothing of it is supported, or where it lacks the figure or name that the extract answers with."""
        prose, extract = self._prose, self._extract
        enough = ("supported",) if self._strict else ("supported", "partial")
        standing = [claim.text for claim in prose.claims if claim.verdict in enough]
        short = [claim.text[slice(*claim.emphasis)] for claim in extract.claims if claim.emphasis]
        if standing and short and all(unfounded(text, standing) for text in short):
            self._lacks = short[0]
        if not standing or self._lacks:
            return None
        zh = extract.language == "zh"
        notes = [extract.reason]
        if 2 * prose.foreign > len(prose.claims):
            notes.insert(
                0, "语言模型没有用提问的语言作答。" if zh else "The language model did not answer in the language of the question."
            )
        if self._cut:
            notes.insert(0, "回答到了长度上限，后面的没有写完。" if zh else "The answer reached its limit of length and ends early.")
        reason = " ".join(filter(None, notes))
        return replace(extract, mode="llm", model=model, claims=tuple(prose.claims), citations=tuple(prose.citations), reason=reason)

    @property
    def shortfall(self) -> str:
        """Why there is no answer, as people are told."""
        zh, tail = self._extract.language == "zh", ""
        if not self.refused:
            tail = "，以下是报告原文摘句。" if zh else "; these are sentences quoted from the reports."
        if self._prose.declined:
            said = "语言模型没有在找到的段落里看到答案" if zh else "The language model saw no answer in the passages that were found"
        elif self._lacks:
            said = (
                f"语言模型写的话里没有报告给出的 {self._lacks}"
                if zh
                else f"What the language model wrote lacks {self._lacks}, which the reports give"
            )
        else:
            said = "语言模型写的话没有一句得到原文支持" if zh else "Nothing that the language model wrote is supported by the reports"
        return said + (tail or ("。" if zh else "."))
