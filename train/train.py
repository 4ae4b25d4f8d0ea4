"""Makes the encoder of `rag/model` from public data, on two CPU cores: `python -m train.train --data DATA [--output rag/model]`.

Stages, each kept in `--work` so that an interrupted run goes on where it stopped:
    1. simplified.txt    traditional -> simplified characters, from OpenCC's table
    2. ranks.tiktoken    byte-pair ranks for Chinese and English; tokenizer.json is the same tokenizer for Hugging Face's library
    3. pairs             texts of the data as token ids, and which belongs to which
    4. model.safetensors one vector per token, trained so that a question is close to its passage and a sentence to its translation

It gives up word order: a text is the weighted mean of its tokens. `rag/model/CARD.md` has the data, their licences and the measured figures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from rag.config import PACKAGE
from rag.index.encoder import weighed
from rag.search.translate import translations
from rag.text.normalize import search_form
from rag.text.tokens import encode_form, encoding, read_ranks
from train.public_data import (
    HAN,
    TRAINED_ARTICLES,
    TUNED_ARTICLES,
    aligned_blocks,
    cedict,
    csl,
    english_questions,
    news,
    sections,
    squad_format,
    tatoeba,
    translated_questions,
)
from train.train_tokenizer import Sizes, is_whole, make_tokenizer, write_simplified

log = logging.getLogger(__name__)

MODEL = PACKAGE / "model"
RAREST = 2e-6
"""Share of the text below which a token is not weighed more: with so few places its number is chance."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the weights, besides the data."""

    seed: int = 7
    dimension: int = 768
    batch: int = 1024
    steps: int = 450
    learning_rate: float = 0.0015
    temperature: float = 0.05
    passage_tokens: int = 224
    """Longest passage in training, in tokens."""
    identity: float = 2.0
    """Length of the random part of a first vector beside the teacher's part of length 1."""
    translation: float = 1.0
    """How much the random part of a Chinese word has of its translations', beside its own."""
    rarity: float = 0.7
    """Power of the inverse frequency that is a token's first weight."""
    passage: int = 150
    """Tokens of a passage for which the inverse frequency is reckoned."""
    trained: float = 0.5
    """Share of the trained vectors in the result, the rest being the first ones: what the teacher knew of words that training met rarely."""
    sharing: float = 1.0
    """How strongly the vectors of characters, stems and pieces are shared by the words that hold them; 0 for not at all."""
    saved: int = 50
    """Steps between two states that an interrupted run can go on from."""


# --- 3. texts and pairs ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ragged:
    """Many token sequences in one array: row i is `ids[starts[i]:starts[i + 1]]`."""

    ids: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.starts) - 1

    def take(self, rows: np.ndarray, longest: int, rng: np.random.Generator) -> list[np.ndarray]:
        """These rows, each cut to a random window of at most `longest` tokens."""
        taken = []
        for row in rows:
            start, end = self.starts[row], self.starts[row + 1]
            if end - start > longest:
                start += rng.integers(end - start - longest + 1)
                end = start + longest
            taken.append(self.ids[start:end])
        return taken

    def take_halves(self, rows: np.ndarray, longest: int, rng: np.random.Generator) -> list[np.ndarray]:
        """A window of the first half of each row, then of the second half of each."""
        middle = (self.starts[rows] + self.starts[rows + 1]) // 2
        parts = [*zip(self.starts[rows], middle, strict=True), *zip(middle, self.starts[rows + 1], strict=True)]
        taken = []
        for start, end in parts:
            if end - start > longest:
                start += rng.integers(end - start - longest + 1)
                end = start + longest
            taken.append(self.ids[start:end])
        return taken


def tokenised(texts: Iterable[str]) -> Ragged:
    """Search forms as token ids, without the tokens that hold no letter or digit."""

    wordless = ~tokens_with_words()
    rows = [encode_form(search_form(text)).astype(np.int32) for text in texts]
    rows = [row[~wordless[row]] for row in rows]
    return Ragged(np.concatenate(rows), np.concatenate([[0], np.cumsum([len(row) for row in rows])]))


def tokens_with_words() -> np.ndarray:
    """bool (tokens,): whether a token holds a letter or digit as a whole character. The others get no vector."""

    ranks = read_ranks()
    return np.array([is_whole(token) and any(c.isalnum() for c in token.decode()) for token in sorted(ranks, key=ranks.__getitem__)])


@dataclass(frozen=True)
class Source:
    """One kind of pairs. Pair k is (left[pairs[k, 0]], right[pairs[k, 1]]); share is its part of the training steps."""

    name: str
    share: float
    left: Ragged
    right: Ragged
    pairs: np.ndarray
    cloze: bool = False
    """The left side is a stretch of the right one, which mostly loses it."""
    longest_left: int = 64
    whole: bool = False
    """The right sides stay whole: what is asked for may stand anywhere."""
    halves: bool = False
    """Both halves of each right side are in the batch: the other half of an article is the hardest stretch to tell apart."""
    translated: float = 0.0
    """In this share of the batches the words of the left side are replaced by dictionary translations."""


def make_sources(data: Path) -> list[Source]:
    """All training pairs. What figures are reported on (CMRC dev, the last articles of SQuAD and XQuAD) is not among them."""

    def one_to_one(count: int) -> np.ndarray:
        return np.stack([np.arange(count)] * 2, axis=1)

    def questions(name: str, share: float, found: list[tuple[str, list[str]]], translated: float) -> Source:
        owners = np.repeat(np.arange(len(found)), [len(asked) for _, asked in found])
        pairs = np.stack([np.arange(len(owners)), owners], axis=1)
        left, right = tokenised(q for _, asked in found for q in asked), tokenised(passage for passage, _ in found)
        return Source(name, share, left, right, pairs, whole=True, translated=translated)

    cmrc = questions("cmrc", 0.18, squad_format(data / "cmrc2018" / "train.json"), 0.4)
    sources = [
        cmrc,
        Source("cmrc cloze", 0.05, cmrc.right, cmrc.right, one_to_one(len(cmrc.right)), cloze=True, translated=0.3),
        questions("english questions", 0.1, english_questions(data), 0.35),
    ]
    across = translated_questions(data)
    sources.append(
        Source("xquad", 0.04, tokenised(q for q, _ in across), tokenised(p for _, p in across), one_to_one(len(across)), whole=True)
    )
    articles = tokenised(islice(news(data), 0, None, 2))
    sources.append(Source("news cloze", 0.22, articles, articles, one_to_one(len(articles)), cloze=True, halves=True, translated=0.35))
    papers = csl(data)
    abstracts = [abstract for abstract, _, _ in papers]
    short = [(i, text) for i, paper in enumerate(papers) for text in paper[1:] if text]
    sources.append(
        Source(
            "papers",
            0.04,
            tokenised(t for _, t in short),
            tokenised(abstracts),
            np.array([[k, i] for k, (i, _) in enumerate(short)]),
            translated=0.3,
        )
    )
    placed = sections(data)
    headings = tokenised(f"{title} {heading}" for title, heading, _ in placed)
    paragraphs = tokenised(text for _, _, text in placed)
    sources.append(Source("headings", 0.04, headings, paragraphs, one_to_one(len(placed)), translated=0.3))
    sources.append(Source("technical cloze", 0.08, paragraphs, paragraphs, one_to_one(len(placed)), cloze=True, translated=0.3))
    blocks = aligned_blocks(data)
    english, chinese = tokenised(e for e, _ in blocks), tokenised(c for _, c in blocks)
    sources.append(Source("translated blocks", 0.05, english, chinese, one_to_one(len(blocks)), longest_left=256))
    pairs = tatoeba(data)
    sources.append(
        Source("translated sentences", 0.07, tokenised(e for e, _ in pairs), tokenised(c for _, c in pairs), one_to_one(len(pairs)))
    )
    entries = cedict(data)
    glosses = [(i, gloss) for i, (_, meanings) in enumerate(entries) for gloss in meanings[:4]]
    sources.append(
        Source(
            "dictionary",
            0.12,
            tokenised(g for _, g in glosses),
            tokenised(h for h, _ in entries),
            np.array([[k, i] for k, (i, _) in enumerate(glosses)]),
        )
    )
    for source in sources:
        log.info("%-22s %7d pairs, %9d tokens", source.name, len(source.pairs), len(source.right.ids))
    return sources


def token_translations(data: Path) -> dict[int, list[np.ndarray]]:
    """Token of a whole word -> its dictionary translations as tokens, in both directions; at most six each."""

    found: dict[int, list[np.ndarray]] = {}
    for headword, glosses in cedict(data):
        word = encode_form(search_form(headword)).astype(np.int32)
        for gloss in glosses[:3]:
            plain = re.sub(r"^(?:to be|to|a|an|the) ", "", search_form(gloss))
            if not re.fullmatch(r"[a-z]+(?:[ -][a-z]+){0,2}", plain):
                continue
            other = encode_form(plain.replace("-", " ")).astype(np.int32)
            if len(word) == 1 and len(headword) > 1:
                found.setdefault(int(word[0]), []).append(other)
            if len(other) == 1 and len(word) <= 3 and len(headword) > 1:
                found.setdefault(int(other[0]), []).append(word)
    rng = np.random.default_rng(0)
    return {token: [options[i] for i in rng.permutation(len(options))[:6]] for token, options in found.items()}


def translated(tokens: np.ndarray, table: dict[int, list[np.ndarray]], share: float, rng: np.random.Generator) -> np.ndarray:
    """The tokens with those that have a translation replaced by it, each with this probability."""
    turned = [
        options[int(draw * len(options))] if (options := table.get(token)) and chance < share else [token]
        for token, draw, chance in zip(tokens.tolist(), rng.random(len(tokens)), rng.random(len(tokens)), strict=True)
    ]
    return np.concatenate([*turned, np.zeros(0, np.int32)]).astype(np.int32)


def draw(
    source: Source, settings: Settings, table: dict[int, list[np.ndarray]], rng: np.random.Generator
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """One batch: left sides and right sides."""
    size = settings.batch // 2 if source.halves else settings.batch
    pairs = source.pairs[rng.permutation(len(source.pairs))[:size]]
    turn = float(rng.choice([0.5, 1.0])) if rng.random() < source.translated else 0.0
    if source.cloze:
        lefts, rights = [], []
        question_like = rng.random() < 0.6
        longest = int(rng.integers(64, settings.passage_tokens + 1))
        passages = source.right.take_halves(pairs[:, 1], longest, rng) if source.halves else source.right.take(pairs[:, 1], longest, rng)
        for passage in passages:
            size = min(int(rng.integers(6, 24) if question_like else rng.integers(4, 48)), max(1, len(passage) // 2))
            start = int(rng.integers(max(1, len(passage) - size + 1)))
            left = passage[start : start + size]
            # A question repeats some words of its passage and leaves others out.
            lefts.append(left[rng.random(len(left)) < (0.6 if question_like else 0.85)])
            rights.append(passage if rng.random() < 0.5 else np.concatenate([passage[:start], passage[start + size :]]))
    else:
        longest = int(rng.integers(settings.passage_tokens // 4, settings.passage_tokens + 1))
        longest = 2 * settings.passage_tokens if source.whole else longest
        lefts, rights = source.left.take(pairs[:, 0], source.longest_left, rng), source.right.take(pairs[:, 1], longest, rng)
    if turn:
        lefts = [translated(left, table, turn, rng) for left in lefts]
    return lefts, rights


def alike(texts: Sequence[np.ndarray]) -> np.ndarray:
    """bool (texts, texts): which are the same, token for token."""
    numbers: dict[bytes, int] = {}
    names = np.array([numbers.setdefault(text.tobytes(), len(numbers)) for text in texts])
    return names[:, None] == names[None, :]


# --- 4. vectors ------------------------------------------------------------------------------------------------------------------------


def first_table(data: Path, sources: list[Source], settings: Settings) -> np.ndarray:
    """float32 (tokens, dimension): English from the teacher, Chinese from the teacher's vectors of its dictionary glosses, the rest random.

    The teacher fills the first 128 dimensions; the others are random, so that every token keeps an identity of its own. The length of a row
    is its weight in a text, by inverse frequency.
    """
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    teacher_folder = data / "weights" / "potion-base-4M-int8"
    teacher = load_file(teacher_folder / "model.safetensors")["embeddings"].astype(np.float32)
    teacher_tokens = Tokenizer.from_file(str(teacher_folder / "tokenizer.json"))

    def teach(text: str) -> np.ndarray:
        return teacher[teacher_tokens.encode(text, add_special_tokens=False).ids].sum(0)

    rng = np.random.default_rng(settings.seed)
    size = encoding().n_vocab
    known = np.zeros((size, teacher.shape[1]), dtype=np.float32)
    english = np.zeros(size, dtype=bool)
    meanings: dict[str, list[str]] = {}
    for headword, glosses in cedict(data):
        meanings.setdefault(headword, []).extend(glosses[:3])
    for token in range(size):
        text = encoding().decode_single_token_bytes(token).decode("utf-8", "ignore")
        if re.fullmatch("[a-z]{2,}", text):
            known[token] = teach(text)
            english[token] = True
        elif text in meanings:
            known[token] = sum(teach(re.sub(r"^to ", "", gloss)) for gloss in meanings[text])
    length = np.linalg.norm(known, axis=1, keepdims=True)
    known /= np.where(length > 0, length, 1)
    table = rng.standard_normal((size, settings.dimension)).astype(np.float32)
    table[:, : known.shape[1]] = 0
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    table = _with_translations(table, settings.translation)
    table *= settings.identity / np.linalg.norm(table, axis=1, keepdims=True)
    table[:, : known.shape[1]] = known
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    counts = sum(np.bincount(source.right.ids, minlength=size) for source in sources if not source.cloze or source.name == "news cloze")
    # English is a small part of the text, so its words are counted among themselves.
    share = np.where(english, counts / max(1, counts[english].sum()), counts / max(1, counts[~english].sum()))
    weight = np.log1p(1 / (settings.passage * (share + RAREST))) ** settings.rarity
    table *= (weight / weight.max())[:, None]
    table[~tokens_with_words()] = 0
    return table.astype(np.float32)


def _with_translations(table: np.ndarray, strength: float) -> np.ndarray:
    """Adds to the row of each Chinese word those of its English translations, by their probability, in the table of `rag.search.translate`."""
    import snowballstemmer

    stem = snowballstemmer.stemmer("english").stemWord
    texts = [encoding().decode_single_token_bytes(token).decode("utf-8", "ignore") for token in range(len(table))]
    stems: dict[str, list[int]] = {}
    for token, text in enumerate(texts):
        if re.fullmatch("[a-z]{3,}", text):
            stems.setdefault(stem(text), []).append(token)
    # Inflections of a word share a part from the start.
    together = {name: table[tokens].mean(axis=0) / np.linalg.norm(table[tokens].mean(axis=0)) for name, tokens in stems.items()}
    result = table.copy()
    for name, tokens in stems.items():
        if len(tokens) > 1:
            result[tokens] += strength * together[name]
    for token, text in enumerate(texts):
        if HAN.match(text):
            for translation, probability in translations(text).items():
                if translation in together:
                    result[token] += strength * probability**0.5 * together[translation]
    return result / np.linalg.norm(result, axis=1, keepdims=True)


def shared_parts() -> tuple[np.ndarray, np.ndarray, int]:
    """(token, part) of every part that a token shares with others, and the number of parts: a Chinese word's characters; an English
    word's stem and first letters."""
    import snowballstemmer

    stem = snowballstemmer.stemmer("english").stemWord
    parts: dict[str, list[int]] = {}
    for token in range(encoding().n_vocab):
        text = encoding().decode_single_token_bytes(token).decode("utf-8", "ignore")
        if HAN.match(text):
            for character in set(text):
                parts.setdefault(character, []).append(token)
        elif re.fullmatch("[a-z]{3,}", text):
            for part in {"stem " + stem(text), "start " + text[:5]}:
                parts.setdefault(part, []).append(token)
    shared = [tokens for tokens in parts.values() if len(tokens) > 1]
    tokens = np.concatenate([np.array(tokens) for tokens in shared])
    return tokens, np.repeat(np.arange(len(shared)), [len(tokens) for tokens in shared]), len(shared)


@dataclass(frozen=True)
class Check:
    """Questions that decide between settings; none is trained on or reported."""

    name: str
    questions: Ragged
    passages: Ragged
    owners: np.ndarray


def make_checks(data: Path) -> list[Check]:
    """CMRC trial, and the tuned articles of SQuAD and XQuAD among all passages of their sets."""
    trial = squad_format(data / "cmrc2018" / "trial.json")
    checks = [
        Check(
            "cmrc",
            tokenised(question for _, asked in trial for question in asked),
            tokenised(passage for passage, _ in trial),
            np.repeat(np.arange(len(trial)), [len(asked) for _, asked in trial]),
        )
    ]

    def articles(file: Path) -> tuple[list[str], list[tuple[int, str]]]:
        passages, asked = [], []
        for number, article in enumerate(json.loads(file.read_text(encoding="utf-8"))["data"]):
            for paragraph in article["paragraphs"]:
                if TRAINED_ARTICLES <= number < TUNED_ARTICLES:
                    asked += [(len(passages), qa["question"]) for qa in paragraph["qas"]]
                passages.append(paragraph["context"])
        return passages, asked

    squad, english, chinese = (
        articles(data / file) for file in ("squad_half/dev_first24articles.json", "xquad_half/en.json", "xquad_half/zh.json")
    )
    for name, asked, found in (("squad", squad, squad), ("zh", chinese, chinese), ("en-zh", english, chinese), ("zh-en", chinese, english)):
        checks.append(Check(name, tokenised(q for _, q in asked[1]), tokenised(found[0]), np.array([owner for owner, _ in asked[1]])))
    return checks


def question_recall(table: np.ndarray, questions: Ragged, passages: Ragged, owners: np.ndarray) -> float:
    """Share of the questions whose own passage is the nearest of all."""

    def embed(texts: Ragged) -> np.ndarray:
        parts = [weighed(texts.ids[a:b]) for a, b in zip(texts.starts[:-1], texts.starts[1:], strict=True)]
        rows = np.stack([weights @ table[tokens] for tokens, weights in parts])
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)

    return float(((embed(questions) @ embed(passages).T).argmax(1) == owners).mean())


def train(data: Path, work: Path, settings: Settings) -> np.ndarray:
    """The trained table, float32 (tokens, dimension)."""
    sources, checks, dictionary = make_sources(data), make_checks(data), token_translations(data)

    def recalls(table: np.ndarray) -> str:
        return " ".join(f"{check.name} {question_recall(table, check.questions, check.passages, check.owners):.3f}" for check in checks)

    first = first_table(data, sources, settings)
    return fit(first, sources, shared_parts(), dictionary, settings, work / "training.safetensors", recalls)


def fit(
    first: np.ndarray,
    sources: Sequence[Source],
    shared: tuple[np.ndarray, np.ndarray, int],
    dictionary: dict[int, list[np.ndarray]],
    settings: Settings,
    kept: Path,
    recalls: Callable[[np.ndarray], str],
) -> np.ndarray:
    """Trains the first table on pairs, contrastively; float32 (tokens, dimension).

    `shared` is as of `shared_parts`, `dictionary` as of `token_translations`; `recalls` says how good a table is, for the log. Every
    `settings.saved` steps all that decides the rest is written to `kept`, from which another call goes on to the very same result.
    """
    import torch
    from safetensors.torch import load_file, save_file
    from tqdm import tqdm

    own = torch.nn.Parameter(torch.from_numpy(first.copy()))
    tokens, parts, count = shared
    sharing = torch.sparse_coo_tensor(
        torch.from_numpy(np.stack([tokens, parts])), torch.ones(len(tokens)) * settings.sharing, (len(own), count), check_invariants=True
    ).coalesce()
    part = torch.nn.Parameter(torch.zeros(count, first.shape[1]))
    parameters = [own, part] if settings.sharing else [own]
    optimiser = torch.optim.Adam(parameters, lr=settings.learning_rate, betas=(0.9, 0.98), eps=1e-9, fused=True)
    begin = 0
    if kept.exists():
        state = load_file(kept)
        begin = int(state["step"].item())
        for i, parameter in enumerate(parameters):
            parameter.data.copy_(state[f"value{i}"])
            moments = {"exp_avg": state[f"mean{i}"].clone(), "exp_avg_sq": state[f"square{i}"].clone()}
            optimiser.state[parameter] = {"step": state["step"].reshape(()).clone(), **moments}
    shares = np.array([source.share for source in sources])

    def folded() -> torch.Tensor:
        return own + torch.sparse.mm(sharing, part) if settings.sharing else own

    log.info("recall@1 at step %d: %s", begin, recalls(folded().detach().numpy()))
    losses: dict[str, float] = {}
    for step in tqdm(range(begin, settings.steps), initial=begin, total=settings.steps, mininterval=20):
        rng = np.random.default_rng([settings.seed, step])  # the same batch at the same step, also after a resume
        source = sources[rng.choice(len(sources), p=shares / shares.sum())]
        lefts, rights = draw(source, settings, dictionary, rng)
        texts, weights = zip(*map(weighed, [*lefts, *rights]), strict=True)
        starts = np.concatenate([[0], np.cumsum([len(text) for text in texts])[:-1]])
        vectors = torch.nn.functional.embedding_bag(
            torch.from_numpy(np.concatenate(texts).astype(np.int64)),
            folded(),
            torch.from_numpy(starts.astype(np.int64)),
            mode="sum",
            per_sample_weights=torch.from_numpy(np.concatenate(weights)),
        )
        vectors = torch.nn.functional.normalize(vectors, dim=1)
        scores = vectors[: len(lefts)] @ vectors[len(lefts) :].T / settings.temperature
        # The same text twice in a batch is no negative: a passage with two questions, a heading with two paragraphs.
        same = torch.from_numpy(alike(lefts) | alike(rights))
        same.fill_diagonal_(False)
        scores = scores.masked_fill(same, -1e4)
        target = torch.arange(len(lefts))
        loss = (torch.nn.functional.cross_entropy(scores, target) + torch.nn.functional.cross_entropy(scores.T, target)) / 2
        optimiser.zero_grad()
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * min(1, (step + 1) / 50) * max(0.02, 1 - step / settings.steps)
        optimiser.step()
        losses[source.name] = 0.9 * losses.get(source.name, loss.item()) + 0.1 * loss.item()
        if (step + 1) % settings.saved == 0 or step + 1 == settings.steps:
            rounded = {name: round(value, 2) for name, value in losses.items()}
            log.info("step %d: recall@1 %s, losses %s", step + 1, recalls(folded().detach().numpy()), rounded)
            state = {"step": optimiser.state[own]["step"].reshape(1)}
            for i, parameter in enumerate(parameters):
                moments = optimiser.state[parameter]
                state |= {f"value{i}": parameter.data, f"mean{i}": moments["exp_avg"], f"square{i}": moments["exp_avg_sq"]}
            beside = kept.with_suffix(".tmp")
            save_file(state, beside)
            beside.replace(kept)
    return settings.trained * folded().detach().numpy() + (1 - settings.trained) * first


def write_weights(table: np.ndarray, folder: Path) -> None:
    """model.safetensors: int8 rows and their scales, in the layout that sentence-transformers reads as a StaticEmbedding; plus its module list."""
    from safetensors.numpy import save_file

    table = np.where(tokens_with_words()[:, None], table, 0)
    scale = np.abs(table).max(axis=1) / 127
    rows = np.round(table / np.where(scale > 0, scale, 1)[:, None]).astype(np.int8)
    save_file({"embeddings": rows, "weights": scale.astype(np.float32)}, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)
    modules = [
        {"idx": 0, "name": "0", "path": ".", "type": "sentence_transformers.models.StaticEmbedding"},
        {"idx": 1, "name": "1", "path": "1_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules, indent=2) + "\n", encoding="utf-8")
    about = {"prompts": {"query": "", "document": ""}, "default_prompt_name": None, "similarity_fn_name": "cosine"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Runs the stages that `--work` does not hold yet."""
    parser = argparse.ArgumentParser(prog="python -m train.train", description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with cmrc2018/, news_zh/, csl/, tatoeba_cmn_en/, cedict/, text_zh_en/ and weights/"
    )
    parser.add_argument("--output", type=Path, default=MODEL, help="folder for the model (default: rag/model)")
    parser.add_argument("--work", type=Path, default=Path("build/encoder"), help="folder for what an interrupted run goes on from")
    parser.add_argument("--keep-tokenizer", action="store_true", help="train vectors for the tokenizer that is there")
    for name, value in (asdict(Sizes()) | asdict(Settings())).items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    sizes = Sizes(**{name: getattr(options, name) for name in asdict(Sizes())})
    settings = Settings(**{name: getattr(options, name) for name in asdict(Settings())})
    import torch

    import rag.text.tokens

    torch.set_num_threads(2)
    rag.text.tokens.RANKS = options.output / "ranks.tiktoken"
    options.output.mkdir(parents=True, exist_ok=True)
    work = options.work / hashlib.sha256(repr((sizes, settings)).encode()).hexdigest()[:12]
    work.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    if not options.keep_tokenizer and not (work / "tokenizer-done").exists():
        write_simplified(options.output / "simplified.txt")
        make_tokenizer(options.data, options.output, sizes)
        (work / "tokenizer-done").touch()
    write_weights(train(options.data, work, settings), options.output)
    log.info("done in %.0f minutes", (time.perf_counter() - began) / 60)


if __name__ == "__main__":
    main()
