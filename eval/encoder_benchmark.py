"""How well passages of public question sets are found: `python -m eval.encoder_benchmark --data DATA [--encoder builtin] [--json OUT]`.

Recall@1, @5 and @10 and MRR@10 of the encoder alone, of BM25 (across languages: the translated question), of BM25 and cosine before the best
are read closely, and of the whole mix as shipped; and speed. A
question counts as answered by the passage that it was written for only, among all passages of its set. Of SQuAD and XQuAD (the first 24
articles of the dev set) the last 12 articles are asked about: the first 8 were trained on, the next 4 tuned on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from rag.index.encoder import Encoder, open_encoder
from rag.search.fusion import Mix, mix_for
from rag.search.translate import Language
from rag.text.tokens import count_tokens, token_windows
from train.calibrate import Scores, measure

REPORTED_FROM = 12
"""Articles of SQuAD and XQuAD before this one were trained or tuned on."""
OTHER_WEIGHT = 0.3
"""Of the cosine of an encoder that is not the built-in one; an index estimates its own."""


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
    recall_5: float
    recall_10: float
    mrr_10: float


def squad_format(path: Path, first_article: int = 0) -> Retrieval:
    """Reads a file in SQuAD's format; equal passages are taken once. Questions from `first_article` on, all passages."""
    places: dict[str, int] = {}
    questions, owners = [], []
    for number, article in enumerate(json.loads(path.read_text(encoding="utf-8"))["data"]):
        for paragraph in article["paragraphs"]:
            place = places.setdefault(paragraph["context"], len(places))
            for item in paragraph["qas"] if number >= first_article else ():
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
    return Figures(
        float((ranks == 1).mean()),
        float((ranks <= 5).mean()),
        float((ranks <= 10).mean()),
        float(np.where(ranks <= 10, 1 / ranks, 0).mean()),
    )


def cosines(encoder: Encoder, retrieval: Retrieval) -> np.ndarray:
    """(questions, passages)."""
    return encoder.encode(retrieval.questions, query=True) @ encoder.encode(retrieval.passages).T


def together(encoder: Encoder, own: Retrieval, other: Retrieval, question: str) -> dict[str, float]:
    """Both languages in one corpus: how often the first hit is right, and of the question's own language; and how often the translation is
    first when the passage in the question's language is not there."""
    language = "en" if question == "zh" else "zh"
    weight = None if encoder.name == "builtin" else OTHER_WEIGHT
    same, cross = mix_for(question, question, weight), mix_for(question, language, weight)
    home = scores(encoder, own, None, same).mixed(same)
    away = scores(encoder, across(own, other), language, cross).mixed(cross)
    rows = np.arange(len(own.owners))
    first = np.concatenate([home, away], axis=1).argmax(axis=1)
    count = len(own.passages)
    alone = home.copy()
    alone[rows, own.owners] = -9
    without = np.concatenate([alone, away], axis=1).argmax(axis=1)
    return {
        "right": float((first % count == own.owners).mean()),
        "right and in the question's language": float((first == own.owners).mean()),
        "translation first when only it is there": float((without == own.owners + count).mean()),
    }


def scores(encoder: Encoder, retrieval: Retrieval, target: Language | None, mix: Mix) -> Scores:
    """As search computes them; `target` names the passages' language where it is not the questions'."""
    return measure(encoder, retrieval.questions, retrieval.passages, target, mix.dense)


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
        from rag.index.encoder import BuiltinEncoder

        encoder: Encoder = BuiltinEncoder(options.folder)
    else:
        encoder = open_encoder(options.encoder)
    loaded = time.perf_counter() - began
    chinese, english = (squad_format(options.data / "xquad_half" / f"{language}.json", REPORTED_FROM) for language in ("zh", "en"))
    sets = {
        "CMRC trial (tuned)": (squad_format(options.data / "cmrc2018" / "trial.json"), "zh", "zh"),
        "CMRC dev": (squad_format(options.data / "cmrc2018" / "dev.json"), "zh", "zh"),
        "SQuAD": (squad_format(options.data / "squad_half" / "dev_first24articles.json", REPORTED_FROM), "en", "en"),
        "XQuAD zh": (chinese, "zh", "zh"),
        "XQuAD en": (english, "en", "en"),
        "XQuAD en to zh": (across(english, chinese), "en", "zh"),
        "XQuAD zh to en": (across(chinese, english), "zh", "en"),
    }
    print(f"{encoder.name} {encoder.revision}, {encoder.dimension} dimensions, loaded in {loaded:.2f} s")
    print(
        f"{'recall@1 (@5, @10)':20}{'questions':>10}{'passages':>9} | {'encoder alone':>20} | {'BM25 or translated':>20} | {'with cosine':>20} | {'mix':>20}"
    )
    results: dict[str, dict] = {}
    weight = None if encoder.name == "builtin" else OTHER_WEIGHT
    for name, (retrieval, question, language) in sets.items():
        row = {"encoder": figures(cosines(encoder, retrieval), retrieval.owners)}
        if not options.no_lexical:
            mix = mix_for(question, language, weight)
            found = scores(encoder, retrieval, language if language != question else None, mix)
            row |= {
                "lexical": figures(found.lexical, retrieval.owners),
                "unread": figures(mix.fused(found.lexical, found.cosine), retrieval.owners),
                "mix": figures(found.mixed(mix), retrieval.owners),
            }
        cells = [f"{value.recall_1:.3f} ({value.recall_5:.3f}, {value.recall_10:.3f})" for value in row.values()]
        print(f"{name:20}{len(retrieval.questions):>10}{len(retrieval.passages):>9} | " + " | ".join(f"{cell:>20}" for cell in cells))
        results[name] = {part: asdict(value) for part, value in row.items()}
    if not options.no_lexical:
        for question, own, other in (("zh", chinese, english), ("en", english, chinese)):
            shares = results[f"both languages, asked in {question}"] = together(encoder, own, other, question)
            print(
                f"both languages in one corpus, asked in {question}: " + ", ".join(f"{what} {share:.3f}" for what, share in shares.items())
            )
    pace = speed(encoder, sets["CMRC dev"][0].passages)
    print(f"speed: {pace['chunks_per_second']} chunks of {pace['tokens_per_chunk']} tokens a second; {pace['query_ms']} ms a question")
    if options.json:
        options.json.write_text(
            json.dumps(
                {
                    "encoder": encoder.name,
                    "revision": encoder.revision,
                    "dimension": encoder.dimension,
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
