"""How well an encoder alone finds the passage of a question: `python -m eval.encoder_benchmark --data DATA [--encoder builtin] [--json OUT]`.

Prints recall@1, recall@10 and MRR@10 on CMRC dev and on the first 24 articles of SQuAD 1.1 dev with their XQuAD translations, BM25 beside it,
speed, and the best mix of cosine and normalised BM25, chosen on CMRC trial. None of the reported sets is trained on. A question counts as
answered by the passage that it was written for only, among all passages of the set.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from rag.encoder import Encoder, open_encoder
from rag.textform import search_form
from rag.tokens import count_tokens, token_windows

MIXES = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0]


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Questions, passages, and for each question the index of its passage."""

    questions: list[str]
    passages: list[str]
    owners: np.ndarray


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares of the questions, 0 to 1; higher is better."""

    recall_1: float
    recall_10: float
    mrr_10: float


def squad_format(path: Path) -> Retrieval:
    """Reads a file in SQuAD's format; equal passages are taken once."""
    places: dict[str, int] = {}
    questions, owners = [], []
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            place = places.setdefault(paragraph["context"], len(places))
            for item in paragraph["qas"]:
                questions.append(item["question"])
                owners.append(place)
    return Retrieval(questions, list(places), np.array(owners))


def across(asked: Retrieval, found: Retrieval) -> Retrieval:
    """Questions in one language, passages in the other, of two sets that are parallel."""
    return Retrieval(asked.questions, found.passages, asked.owners)


def figures(scores: np.ndarray, owners: np.ndarray) -> Figures:
    """From scores (questions, passages). Ties count against the right passage."""
    right = scores[np.arange(len(owners)), owners][:, None]
    ranks = (scores >= right).sum(axis=1)
    return Figures(float((ranks == 1).mean()), float((ranks <= 10).mean()), float(np.where(ranks <= 10, 1 / ranks, 0).mean()))


def cosines(encoder: Encoder, retrieval: Retrieval) -> np.ndarray:
    """(questions, passages)."""
    return encoder.encode(retrieval.questions, query=True) @ encoder.encode(retrieval.passages).T


def terms(text: str) -> list[str]:
    """Han characters and their bigrams, other words and numbers whole.

    >>> terms("云计算 2030")
    ['云', '云计', '计', '计算', '算', '2030']
    """
    found: list[str] = []
    word = ""
    before = ""
    for character in search_form(text) + " ":
        han = "\u3400" <= character <= "\u9fff"
        if word and (han or not character.isalnum()):
            found.append(word)
            word = ""
        if han:
            if before:
                found.append(before + character)
            found.append(character)
        elif character.isalnum():
            word += character
        before = character if han else ""
    return found


def bm25(retrieval: Retrieval, k1: float = 1.2, b: float = 0.75) -> np.ndarray:
    """(questions, passages), each row divided by the total idf of the question's terms: 0 when nothing is shared, around 1 when all is."""
    counts = [Counter(terms(passage)) for passage in retrieval.passages]
    lengths = np.array([sum(count.values()) for count in counts], dtype=np.float64)
    postings: dict[str, list[tuple[int, int]]] = {}
    for i, count in enumerate(counts):
        for term, times in count.items():
            postings.setdefault(term, []).append((i, times))
    total = len(counts)

    def idf(term: str) -> float:
        holding = len(postings.get(term, ()))
        return math.log(1 + (total - holding + 0.5) / (holding + 0.5))

    norms = k1 * (1 - b + b * lengths / lengths.mean())
    scores = np.zeros((len(retrieval.questions), total))
    for row, question in enumerate(retrieval.questions):
        weights = {term: idf(term) for term in set(terms(question))}
        for term, weight in weights.items():
            for i, times in postings.get(term, ()):
                scores[row, i] += weight * times * (k1 + 1) / (times + norms[i])
        scores[row] /= sum(weights.values()) or 1
    return scores


def best_mix(lexical: np.ndarray, dense: np.ndarray, owners: np.ndarray) -> tuple[float, dict[float, float]]:
    """The weight w of `lexical + w * dense`, and MRR@10 by weight. The curve is flat on top: the smallest weight within 0.0005 of the best."""
    curve = {mix: figures(lexical + mix * dense, owners).mrr_10 for mix in MIXES}
    return min(mix for mix, mrr in curve.items() if mrr >= max(curve.values()) - 0.0005), curve


def speed(encoder: Encoder, texts: Sequence[str]) -> dict[str, float]:
    """Chunks of about 300 tokens a second, and milliseconds for one question after loading."""
    whole = "\n".join(texts)
    chunks = [whole[start:end] for start, end in token_windows(whole[:400_000], 300)]
    chunks *= 6000 // len(chunks) + 1
    encoder.encode(chunks[:50])
    began = time.perf_counter()
    encoder.encode(chunks)
    rate = len(chunks) / (time.perf_counter() - began)
    began = time.perf_counter()
    for _ in range(200):
        encoder.encode(["企业怎样衡量数字化转型的成效？"], query=True)
    return {
        "chunks_per_second": round(rate),
        "query_ms": round((time.perf_counter() - began) * 5, 3),
        "tokens_per_chunk": round(sum(map(count_tokens, chunks[:100])) / 100),
    }


def main() -> None:
    """Prints a table and, if asked, writes the same as JSON."""
    parser = argparse.ArgumentParser(prog="python -m eval.encoder_benchmark", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with cmrc2018/, squad_half/ and xquad_half/")
    parser.add_argument("--encoder", default="builtin")
    parser.add_argument("--folder", type=Path, help="a built-in model in another folder")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--no-lexical", action="store_true", help="leave BM25 and the mix out (quicker)")
    options = parser.parse_args()
    began = time.perf_counter()
    if options.folder:
        from rag.encoder import BuiltinEncoder

        encoder: Encoder = BuiltinEncoder(options.folder)
    else:
        encoder = open_encoder(options.encoder)
    loaded = time.perf_counter() - began
    chinese, english = (squad_format(options.data / "xquad_half" / f"{language}.json") for language in ("zh", "en"))
    trial = squad_format(options.data / "cmrc2018" / "trial.json")
    sets = {
        "CMRC trial (tuning)": trial,
        "CMRC dev": squad_format(options.data / "cmrc2018" / "dev.json"),
        "SQuAD half": squad_format(options.data / "squad_half" / "dev_first24articles.json"),
        "XQuAD half zh": chinese,
        "XQuAD half en": english,
        "XQuAD half en->zh": across(english, chinese),
        "XQuAD half zh->en": across(chinese, english),
    }
    print(f"{encoder.name} {encoder.revision}, {encoder.dimension} dimensions, loaded in {loaded:.2f} s")
    results: dict[str, dict] = {}
    dense = {name: cosines(encoder, retrieval) for name, retrieval in sets.items()}
    lexical = {} if options.no_lexical else {name: bm25(retrieval) for name, retrieval in sets.items()}
    mix, curve = best_mix(lexical["CMRC trial (tuning)"], dense["CMRC trial (tuning)"], trial.owners) if lexical else (0.0, {})
    print(
        f"{'':22}{'questions':>10}{'passages':>9} | {'encoder r@1':>11}{'r@10':>7}{'mrr':>7} | {'BM25 r@1':>9}{'r@10':>7} | {'mix r@1':>8}{'r@10':>7}{'own best w':>11}"
    )
    for name, retrieval in sets.items():
        row = {"encoder": figures(dense[name], retrieval.owners)}
        line = f"{name:22}{len(retrieval.questions):>10}{len(retrieval.passages):>9} | {row['encoder'].recall_1:>11.3f}{row['encoder'].recall_10:>7.3f}{row['encoder'].mrr_10:>7.3f}"
        if lexical:
            row |= {"bm25": figures(lexical[name], retrieval.owners), "mix": figures(lexical[name] + mix * dense[name], retrieval.owners)}
            own = best_mix(lexical[name], dense[name], retrieval.owners)[0]
            line += f" | {row['bm25'].recall_1:>9.3f}{row['bm25'].recall_10:>7.3f} | {row['mix'].recall_1:>8.3f}{row['mix'].recall_10:>7.3f}{own:>11}"
        print(line)
        results[name] = {part: asdict(value) for part, value in row.items()}
    if lexical:
        print(
            f"best mix on CMRC trial: BM25 / total idf + {mix} * cosine   (MRR@10 by weight: {', '.join(f'{w}: {m:.4f}' for w, m in curve.items())})"
        )
    pace = speed(encoder, sets["CMRC dev"].passages)
    print(f"speed: {pace['chunks_per_second']} chunks of {pace['tokens_per_chunk']} tokens a second; {pace['query_ms']} ms a question")
    if options.json:
        options.json.write_text(
            json.dumps(
                {
                    "encoder": encoder.name,
                    "revision": encoder.revision,
                    "dimension": encoder.dimension,
                    "mix": mix,
                    "figures": results,
                    "speed": pace,
                },
                indent=1,
            )
            + "\n",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
