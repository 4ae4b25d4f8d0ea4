"""Question to hits: BM25 and cosine, each over its own candidates, mixed by calibrated constants; the best are then read more closely.

Reading closely means looking for the one sentence that says most of it, for words like those of the question, word by word, and for a heading
that the question names: what stands in tables has no sentence, but its heading says what it is.
No rank fusion: mixing ranks of a strong and a weak list costs five points of recall@1 on Chinese; mixing scores costs none. Both scores are
on a scale of their own that does not depend on the corpus: BM25 over the question's total idf, and the cosine. Reports in the language that
the question does not use are searched on their own, with the translated question, and their scores brought to the same scale.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag.index.encoder import word_vectors
from rag.index.lexical import term_weight, terms
from rag.search.dedupe import Told, copies_last
from rag.search.editions import told_twice
from rag.search.expansion import other_names
from rag.search.fusion import Mix, best_sentence, mix_for
from rag.search.question import language_of
from rag.search.translate import Concept, Language, concepts, shares_of
from rag.types import Encoder, Filter, Hit, Store

NAMED_REPORT_BONUS = 0.6
"""For chunks of a report that the question names; others may still answer, since a name may also be what is asked about."""
HEADING_BONUS = 0.6
"""For chunks under a heading that the question names in full; less for a part of it."""
BRIEF = 3.0
"""Idf that is added to a heading's own before it is compared, so that one of a word or two says less than a full title."""
READ = 30
"""How many of the best hits of each language are read closely, sentence by sentence and word by word."""
RERANKED = 30
"""How many of the best hits a reranker reads."""
_UNITS = re.compile(r"[（(][^（）()]*[)）]?|(?:\$ and shares |\$ )?\bin (?:thousands|millions|billions)\b.*$|单位[:：].*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a hit stands where it does: `hit.fused == mix.fused(hit.lexical, hit.dense, sentence, likeness) + bonus`, unless a reranker set it."""

    hit: Hit
    mix: Mix
    translated: bool
    """Whether the report is in the other language, so that the translated question was looked for."""
    terms: dict[str, float]
    """Lexical terms of the question (or its translation) that the chunk or its headings have, with their shares of the question's weight."""
    bonus: float
    """For a report that the question names, and for a heading that it names."""
    sentence: float = 0.0
    """The share of the question's weight that the best sentence has; 0 where the mix does not ask for it."""
    likeness: float = 0.0
    """Of the question's words to those of the chunk and its headings, by `BuiltinEncoder.likeness`."""
    reranked: float | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as the reports of one language are searched for it."""

    core: str
    carried: str
    vector: np.ndarray
    weights: Mapping[str, float] | Sequence[Concept]
    """Lexical terms with their shares, or concepts where the question was translated."""
    mix: Mix
    among: frozenset[str]
    """The reports."""
    named: frozenset[str]
    """Those of them that the question names."""

    @property
    def translated(self) -> bool:
        return not isinstance(self.weights, Mapping)

    @property
    def shares(self) -> Mapping[str, float]:
        return self.weights if isinstance(self.weights, Mapping) else shares_of(self.weights)


Reranker = Callable[[str, Sequence[str]], Sequence[float]]
"""(question, texts) to scores that grow with relevance."""


def inverse_frequencies(store: Store, names: Iterable[str]) -> dict[str, float]:
    """Robertson's idf of each term over the chunks of the store, never negative."""
    names = list(names)
    count = store.count()
    return {
        term: math.log1p((count - frequency + 0.5) / (frequency + 0.5))
        for term, frequency in zip(names, store.document_frequencies(names), strict=True)
    }


def weigh_terms(store: Store, core: str, carried: str = "") -> dict[str, float]:
    """Each lexical term of the question with its share of the question's total weight, which is idf by `term_weight`; shares sum to 1.

    Of a follow-up half belongs to its own terms and half to its own and those carried over from the turn before, taken together: the mean of
    two scores, which served follow-ups better than either question.
    """
    own, both = dict.fromkeys(terms(core)), dict.fromkeys([*terms(core), *terms(carried)])
    weights = {term: idf * term_weight(term) for term, idf in inverse_frequencies(store, both).items()}
    total_own, total_both = sum(weights[term] for term in own) or 1.0, sum(weights.values()) or 1.0
    return {
        term: ((weight / total_own if term in own else 0.0) + weight / total_both) / 2 if own else weight / total_both
        for term, weight in weights.items()
    }


def weigh_translated(store: Store, target: Language, core: str, carried: str = "") -> list[Concept]:
    """As `weigh_terms`, in the words of the other language."""

    def frequencies(names: Sequence[str]) -> dict[str, int]:
        return dict(zip(names, store.document_frequencies(names), strict=True))

    own = concepts(core, target, frequencies, store.count())
    if not carried:
        return own
    both = concepts(f"{core}\n{carried}", target, frequencies, store.count())
    return [replace(concept, weight=concept.weight / 2) for concept in (*own, *both)]


def search(
    store: Store,
    encoder: Encoder,
    core: str,
    *,
    carried: str = "",
    only: Filter | None = None,
    named: frozenset[str] = frozenset(),
    candidates: int = 60,
    top_k: int = 12,
    reranker: Reranker | None = None,
    asked: str = "",
) -> list[Hit]:
    """The best chunks, best first, copies of a better one last (`rag.search.dedupe`); ties by chunk id. `core` is the question without its asking words, `carried` that of the turn before.

    `only` restricts to documents, `named` (document ids) merely prefers them. A reranker reads the best `RERANKED`
    beside `asked`, the question as it stands, and decides their order. Of a report in two languages the edition in the question's comes first.
    What stands first does not depend on `top_k`, and there are no more than the `candidates` by words and by meaning.
    A store without a match gives an empty list.
    """
    found = explained_search(
        store,
        encoder,
        core,
        carried=carried,
        only=only,
        named=named,
        candidates=candidates,
        top_k=top_k,
        reranker=reranker,
        asked=asked,
        explain=False,
    )
    return [one.hit for one in found]


def explained_search(
    store: Store,
    encoder: Encoder,
    core: str,
    *,
    carried: str = "",
    only: Filter | None = None,
    named: frozenset[str] = frozenset(),
    candidates: int = 60,
    top_k: int = 12,
    reranker: Reranker | None = None,
    asked: str = "",
    explain: bool = True,
) -> list[Explained]:
    """As `search`, with the parts of each score."""
    read: list[Explained] = []
    further: list[Explained] = []
    for question in _questions(store, encoder, core, carried, only, named):
        part = _candidates(store, question, candidates)
        read += _read_closely(store, encoder, part[:READ], question)
        further += part[READ:]
    # How many are asked for decides nothing above: the first three of twenty are the first three of three.
    found = copies_last(_own_edition_first(store, sorted(read, key=_order)), _told, max(top_k, RERANKED) if reranker else top_k)
    found += [_with_text(store, one) for one in sorted(further, key=_order)[: max(0, top_k - len(found))]]
    if explain:
        found = [replace(one, terms=_terms_there(one)) for one in found]
    if reranker and found:
        best, rest = found[:RERANKED], found[RERANKED:]
        scores = reranker(asked or f"{carried} {core}".strip(), [one.hit.text for one in best])
        best = [
            replace(one, hit=replace(one.hit, fused=float(score)), reranked=float(score)) for one, score in zip(best, scores, strict=True)
        ]
        found = [*copies_last(sorted(best, key=_order), _told, top_k), *rest][:top_k]
    return found


def _questions(store: Store, encoder: Encoder, core: str, carried: str, only: Filter | None, named: frozenset[str]) -> Iterator[_Asked]:
    """The question for the reports in its own language (or none that is known), then for those in the other."""
    language = language_of(f"{core} {carried}")
    other: Language = "en" if language == "zh" else "zh"
    documents = (only or Filter()).passing(store.documents())
    foreign = frozenset(document.id for document in documents if document.language == other)
    own = frozenset(document.id for document in documents) - foreign
    vector = _question_vector(encoder, core, carried)
    dense_weight = getattr(store, "dense_weight", None)  # an index of another encoder has estimated one
    if own:
        yield _Asked(core, carried, vector, _shares(store, core, carried), mix_for(language, language, dense_weight), own, own & named)
    if foreign:
        concepts = weigh_translated(store, other, core, carried)
        yield _Asked(core, carried, vector, concepts, mix_for(language, other, dense_weight), foreign, foreign & named)


def _candidates(store: Store, question: _Asked, count: int) -> list[Explained]:
    """The best `count` by words and by meaning, best first; those of reports that the question names are not crowded out by others."""
    shares = question.shares
    # Searching everything needs no list of documents.
    among = None if len(question.among) == len(store.documents()) else question.among
    scored = set(_scored(store, shares, question.vector, count, among))
    if question.named:
        scored |= set(_scored(store, shares, question.vector, count, question.named))
    found = []
    for chunk, (_, lexical, cosine) in zip(store.chunks([name for name, _, _ in sorted(scored)]), sorted(scored), strict=True):
        bonus = NAMED_REPORT_BONUS if chunk.document in question.named else 0.0
        hit = Hit(chunk, "", lexical, cosine, question.mix.fused(lexical, cosine) + bonus)
        found.append(Explained(hit, question.mix, question.translated, dict(shares), bonus))
    return sorted(found, key=_order)


def _own_edition_first(store: Store, found: Sequence[Explained]) -> list[Explained]:
    """The same, what a report in the other language says behind all else where its edition in the question's language was found too."""
    languages = {one.hit.chunk.document: one.translated for one in found}
    if len(set(languages.values())) < 2:
        return list(found)
    reports = [store.document(name) for name in languages]
    foreign = next(report.language for report in reports if languages[report.id])
    told = told_twice(reports, foreign)
    return sorted(found, key=lambda one: one.hit.chunk.document in told)


def _with_text(store: Store, one: Explained) -> Explained:
    chunk = one.hit.chunk
    return replace(one, hit=replace(one.hit, text=store.document(chunk.document).text[chunk.start : chunk.end]))


def _told(one: Explained) -> Told:
    return Told.of(one.hit.chunk.document, one.hit.text, one.terms)


def _order(one: Explained) -> tuple[float, str]:
    return -one.hit.fused, one.hit.chunk.id


def _read_closely(store: Store, encoder: Encoder, found: Sequence[Explained], question: _Asked) -> list[Explained]:
    """The hits with their text, the other two parts of their score, and the whole of it."""
    found, core, carried = [_with_text(store, one) for one in found], question.core, question.carried
    words = word_vectors(encoder)
    placed = [" ".join((*one.hit.chunk.section, one.hit.text)) for one in found]
    likeness = words.likeness(f"{carried} {core}".strip(), placed)
    if carried:  # the mean of both turns and of the new one, as everywhere
        likeness = (likeness + words.likeness(core, placed)) / 2
    read = []
    headed = _headed(store, found, f"{carried} {core} {other_names(core)}")
    for one, alike, head in zip(found, likeness.tolist(), headed, strict=True):
        hit, sentence = one.hit, best_sentence(question.weights, one.hit.text) if one.mix.sentence else 0.0
        bonus = one.bonus + HEADING_BONUS * head
        fused = one.mix.fused(hit.lexical, hit.dense, sentence, alike) + bonus
        read.append(replace(one, hit=replace(hit, fused=fused), sentence=sentence, likeness=alike, bonus=bonus))
    return read


def _headed(store: Store, found: Sequence[Explained], asked: str) -> list[float]:
    """How much of its heading's weight the question names, 0 to 1, for each hit; a short heading never counts in full."""
    wanted = frozenset(terms(asked))
    heads = {one.hit.chunk.section: dict.fromkeys(terms(_heading(one.hit.chunk.section))) for one in found}
    idf = inverse_frequencies(store, dict.fromkeys(term for head in heads.values() for term in head))
    shares = {
        section: sum(idf[term] for term in head if term in wanted) / (sum(idf[term] for term in head) + BRIEF)
        for section, head in heads.items()
    }
    return [shares[one.hit.chunk.section] for one in found]


def _heading(section: Sequence[str]) -> str:
    """The last heading that says more than units ("(in millions)"), without them."""
    bare = (_UNITS.sub(" ", name).strip() for name in reversed(section))
    return next((name for name in bare if name), "")


def _shares(store: Store, core: str, carried: str) -> dict[str, float]:
    """As `weigh_terms`; where reports call something otherwise, half of the weight goes to the question with those names too."""
    own = weigh_terms(store, core, carried)
    names = other_names(core)
    if not names:
        return own
    wider = weigh_terms(store, f"{core} {names}", carried)
    return {term: (own.get(term, 0.0) + share) / 2 for term, share in wider.items()}


def _question_vector(encoder: Encoder, core: str, carried: str) -> np.ndarray:
    """float32 (dimension,); of a follow-up the mean of its own and of both turns together."""
    vector = encoder.encode([f"{carried} {core}".strip()], query=True)[0]
    if carried:
        vector = vector + encoder.encode([core], query=True)[0]
        vector /= max(float((vector @ vector) ** 0.5), 1e-9)
    return vector


def _scored(
    store: Store, shares: Mapping[str, float], vector: np.ndarray, candidates: int, among: frozenset[str] | None
) -> list[tuple[str, float, float]]:
    """(chunk id, normalised BM25, cosine) of the best by either."""
    idf = inverse_frequencies(store, shares)
    # The index multiplies by idf itself; what is left of a share is the boost, and the score comes out over the total idf.
    lexical = dict(store.lexical({term: share / idf[term] for term, share in shares.items() if idf[term] > 0}, candidates, among))
    dense = dict(store.dense(vector, candidates, among)) if vector.any() else {}
    missing = [chunk for chunk in lexical if chunk not in dense]
    dense |= dict(zip(missing, store.cosines(vector, missing), strict=True))
    return [(chunk, lexical.get(chunk, 0.0), dense[chunk]) for chunk in sorted(lexical.keys() | dense.keys())]


def _terms_there(one: Explained) -> dict[str, float]:
    there = set(terms(" ".join((one.hit.text, *one.hit.chunk.section))))
    return {term: share for term, share in one.terms.items() if term in there}
