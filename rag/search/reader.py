"""Reads a question beside a passage: which sentences belong to the answer, and whether the passage answers at all.

One small encoder on onnxruntime, and five heads of two layers each in numpy: `sentence`, `passage`, `support` (of a claim by evidence), `intent` and
`kind` (of what a person typed). `model/CARD.md` says how it was trained. Inputs have three forms:

    question   <s> earlier turns </s> question </s></s> heading </s> sentence </s> sentence </s> ...
    claim      <s> <mask> claim </s></s> sentence </s> sentence </s> ...
    message    <s> message </s>            (`<mask></s>` follows where an answer came before)
"""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from rag.errors import EncoderError
from rag.types import FloatMatrix, Turn

FOLDER = Path(__file__).parent.parent / "model" / "reader"

# Special tokens of the vocabulary.
BOS, PAD, EOS, MASK = 0, 1, 2, 4
# Tokens at most: of a whole input, of a question or claim, of each side of an earlier turn, of a heading, of one sentence.
MAX_TOKENS, MAX_QUESTION, MAX_TURN, MAX_HEADING, MAX_SENTENCE = 352, 96, 40, 24, 160
# Earlier turns that are read with a question.
TURNS = 2
# Tokens of one run of the encoder, padding included; more would only fill the memory.
RUN_TOKENS = 2048
KEPT_READINGS = 256

LABELS = ("supported", "partial", "unsupported")
KINDS = ("number", "date", "person", "entity", "definition", "abbreviation", "list", "why", "how", "compare", "yesno", "summary")

Encode = Callable[[str], Sequence[int]]


@dataclass(frozen=True, slots=True)
class ReaderInput:
    """Token ids of one input and, beside each, the number of the sentence it belongs to (-1: none)."""

    ids: tuple[int, ...]
    sentence_of: tuple[int, ...]
    sentences: int


@dataclass(frozen=True, slots=True)
class Passage:
    """What is read at once: a heading and the sentences below it."""

    heading: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader makes of a passage: logits that it answers, and that each of its sentences belongs to the answer."""

    answers: float
    sentences: tuple[float, ...]


def question_input(encode: Encode, question: str, heading: str, sentences: Sequence[str], history: Sequence[Turn] = ()) -> ReaderInput:
    """Pack a question, the last turns before it and a passage; sentences that do not fit are left out at the end."""
    ids = [BOS]
    for turn in history[-TURNS:]:
        ids += [*encode(turn.question)[:MAX_TURN], EOS, *encode(turn.answer)[:MAX_TURN], EOS]
    ids += [*encode(question)[:MAX_QUESTION], EOS, EOS]
    if heading:
        ids += [*encode(heading)[:MAX_HEADING], EOS]
    return _with_sentences(encode, ids, sentences)


def claim_input(encode: Encode, claim: str, sentences: Sequence[str]) -> ReaderInput:
    """Pack a claim and the sentences that it is held against."""
    return _with_sentences(encode, [BOS, MASK, *encode(claim)[:MAX_QUESTION], EOS, EOS], sentences)


def message_input(encode: Encode, message: str, after_answer: bool) -> ReaderInput:
    """Pack what a person typed, alone, and whether an answer came before it."""
    ids = [BOS, *encode(message)[:MAX_QUESTION], EOS, *([MASK, EOS] if after_answer else [])]
    return ReaderInput(tuple(ids), (-1,) * len(ids), 0)


def _with_sentences(encode: Encode, ids: list[int], sentences: Sequence[str]) -> ReaderInput:
    sentence_of, kept = [-1] * len(ids), 0
    for number, sentence in enumerate(sentences):
        tokens = list(encode(sentence)[:MAX_SENTENCE])
        if len(ids) + len(tokens) + 1 > MAX_TOKENS:
            if number:
                break
            tokens = tokens[: MAX_TOKENS - len(ids) - 1]
        ids += [*tokens, EOS]
        sentence_of += [number] * len(tokens) + [-1]
        kept = number + 1
    return ReaderInput(tuple(ids), tuple(sentence_of), kept)


class Reader:
    """A trained reader, open. Safe to use from several threads."""

    def __init__(self, folder: Path = FOLDER, threads: int = 0) -> None:
        """Open the files of a folder. `threads` as in onnxruntime (0: one for each core). Raises EncoderError for a missing or wrong file."""
        try:
            import onnxruntime
            from safetensors.numpy import load_file
            from tokenizers import Tokenizer

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            options.log_severity_level = 3
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores to others
            self._session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._heads = load_file(folder / "heads.safetensors")
            settings = json.loads((folder / "reader.json").read_text(encoding="utf-8"))
            self.revision: str = settings["revision"]
            self.intents: tuple[str, ...] = tuple(settings["intents"])
            self._support_shift = np.array(settings.get("support_shift", (0.0, 0.0, 0.0)), np.float32)
            self._mix = np.array(settings["mix"])
            self._calibration: Mapping[str, Sequence[float]] = settings["calibration"]
            self._thresholds: Mapping[str, Mapping[str, float]] = settings["thresholds"]
            width = self._session.get_outputs()[0].shape[-1]
            for head, size in (("sentence", 1), ("passage", 1), ("support", 3), ("intent", len(self.intents)), ("kind", len(KINDS))):
                if self._heads[f"{head}.0.weight"].shape[1] != width or self._heads[f"{head}.2.weight"].shape[0] != size:
                    raise ValueError(f"head {head!r} does not fit")
        except Exception as error:  # each library has errors of its own; all of them mean that the folder is not a reader
            message = str(error).strip().split("\n")[0] or type(error).__name__
            raise EncoderError(f"the reader in {folder} cannot be opened ({message[:200]}): install the package again") from error
        self._lock, self._remembering = threading.Lock(), threading.Lock()
        self._readings: OrderedDict[tuple[str, tuple[tuple[str, str], ...], Passage], Reading] = OrderedDict()
        self._encode = lru_cache(maxsize=1 << 14)(self._tokens)

    def read(self, question: str, passages: Sequence[Passage], history: Sequence[Turn] = ()) -> list[Reading]:
        """Read each passage with the question. One too long for an input is read in windows that share a sentence; the best reading counts.

        The last KEPT_READINGS are remembered, so that a question asked again, searched or explained costs nothing.
        """
        turns = tuple((turn.question, turn.answer) for turn in history[-TURNS:])
        keys = [(question, turns, passage) for passage in passages]
        with self._remembering:
            known = {key: self._readings[key] for key in keys if key in self._readings}
        fresh = list(dict.fromkeys(key for key in keys if key not in known))
        known |= zip(fresh, self._read(question, [passage for _, _, passage in fresh], history), strict=True)
        with self._remembering:
            for key in keys:
                self._readings[key] = known[key]
                self._readings.move_to_end(key)
            while len(self._readings) > KEPT_READINGS:
                self._readings.popitem(last=False)
        return [known[key] for key in keys]

    def _read(self, question: str, passages: Sequence[Passage], history: Sequence[Turn]) -> list[Reading]:
        inputs: list[ReaderInput] = []
        places: list[tuple[int, int]] = []
        for number, passage in enumerate(passages):
            low = 0
            while True:
                inputs.append(question_input(self._encode, question, passage.heading, passage.sentences[low:], history))
                places.append((number, low))
                reached = low + inputs[-1].sentences
                if reached >= len(passage.sentences):
                    break
                low = max(low + 1, reached - 1)
        answers = np.full(len(passages), -np.inf)
        scores = [np.full(len(passage.sentences), -np.inf) for passage in passages]
        for hidden, one, (number, low) in zip(self._hidden(inputs), inputs, places, strict=True):
            answers[number] = max(answers[number], self._head("passage", hidden[:1])[0, 0])
            if one.sentences:
                part = scores[number][low : low + one.sentences]
                np.maximum(part, self._head("sentence", _means(hidden, one))[:, 0], out=part)
        return [Reading(float(answer), tuple(score.tolist())) for answer, score in zip(answers, scores, strict=True)]

    def sentence_chance(self, sentence: float, passage: float, overlap: float) -> float:
        """Turn a sentence's logit, that of its passage and its overlap with the question into the probability that it belongs to the answer."""
        return _sigmoid(float(np.dot(self._mix, (sentence, passage, overlap, 1.0))))

    def confidence(self, answers: float, best: float, overlap: float, pair: str) -> float:
        """Turn the logits of a passage and of its best sentence, and its best overlap, into the probability that they answer.

        `pair` names the languages of question and passage ("zh-en"), each of which has a calibration of its own.
        """
        return _sigmoid(float(np.dot(self._calibration.get(pair) or self._calibration["all"], (answers, best, overlap, 1.0))))

    def threshold(self, strictness: str, pair: str) -> float:
        """Return the least confidence with which a question is answered, by strictness and pair of languages."""
        return (self._thresholds.get(pair) or self._thresholds["all"])[strictness]

    def support(self, claim: str, evidence: Sequence[str]) -> tuple[float, float, float]:
        """Return the probabilities that evidence supports a claim, supports a part of it, or does not; they sum to 1.

        Evidence too long for an input is read in windows that share a sentence; the one that supports most counts. The probabilities are shifted so
        that one half is the calibrated border of "does not".
        """
        inputs, low = [], 0
        while True:
            inputs.append(claim_input(self._encode, claim, evidence[low:]))
            reached = low + inputs[-1].sentences
            if reached >= len(evidence):
                break
            low = max(low + 1, reached - 1)
        chances = [_softmax(self._head("support", hidden[:1])[0] + self._support_shift) for hidden in self._hidden(inputs)]
        supported, partial, unsupported = min(chances, key=lambda chance: float(chance[2])).tolist()
        return supported, partial, unsupported

    def intent(self, message: str, after_answer: bool) -> dict[str, float]:
        """Say what a person wants who typed this: a probability for each of `intents`."""
        hidden = self._hidden([message_input(self._encode, message, after_answer)])[0]
        return dict(zip(self.intents, _softmax(self._head("intent", hidden[:1])[0]).tolist(), strict=True))

    def kind(self, question: str) -> dict[str, float]:
        """Say what kind of answer a question wants: a probability for each of KINDS."""
        hidden = self._hidden([message_input(self._encode, question, False)])[0]
        return dict(zip(KINDS, _softmax(self._head("kind", hidden[:1])[0]).tolist(), strict=True))

    def _tokens(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text.strip(), add_special_tokens=False).ids)

    def _hidden(self, inputs: Sequence[ReaderInput]) -> list[FloatMatrix]:
        """Encode inputs, those of like length together: float32 (tokens, width) each."""
        found: dict[int, FloatMatrix] = {}
        group: list[int] = []
        order = sorted(range(len(inputs)), key=lambda i: -len(inputs[i].ids))
        for i in order:
            if group and (len(group) + 1) * len(inputs[group[0]].ids) > RUN_TOKENS:
                found |= self._run(inputs, group)
                group = []
            group.append(i)
        if group:
            found |= self._run(inputs, group)
        return [found[i] for i in range(len(inputs))]

    def _run(self, inputs: Sequence[ReaderInput], group: Sequence[int]) -> dict[int, FloatMatrix]:
        ids = np.full((len(group), len(inputs[group[0]].ids)), PAD, np.int64)
        for row, i in zip(ids, group, strict=True):
            row[: len(inputs[i].ids)] = inputs[i].ids
        with self._lock:  # one run at a time uses every core; two at once would only wait for each other
            hidden = self._session.run(None, {"input_ids": ids, "attention_mask": (ids != PAD).astype(np.int64)})[0]
        return {i: row[: len(inputs[i].ids)] for i, row in zip(group, hidden, strict=True)}

    def _head(self, name: str, states: FloatMatrix) -> FloatMatrix:
        """Apply a head: (n, width) to logits (n, size)."""
        inner = states @ self._heads[f"{name}.0.weight"].T + self._heads[f"{name}.0.bias"]
        return _gelu(inner) @ self._heads[f"{name}.2.weight"].T + self._heads[f"{name}.2.bias"]


def _means(hidden: FloatMatrix, one: ReaderInput) -> FloatMatrix:
    """Average the states of each sentence's tokens: (sentences, width)."""
    sums = np.zeros((one.sentences, hidden.shape[1]), np.float32)
    places = np.array(one.sentence_of)
    np.add.at(sums, places[places >= 0], hidden[places >= 0])
    counts = np.bincount(places[places >= 0], minlength=one.sentences)
    return sums / np.maximum(counts, 1)[:, None]


def _sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))


def _softmax(logits: FloatMatrix) -> FloatMatrix:
    exponents = np.exp(logits - logits.max())
    return exponents / exponents.sum()


def _gelu(values: FloatMatrix) -> FloatMatrix:
    """Gaussian error linear unit, by the error function's rational form (Abramowitz and Stegun 7.1.26, error under 2e-7)."""
    x = np.abs(values) / np.sqrt(2.0)
    t = 1.0 / (1.0 + 0.3275911 * x)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = np.sign(values) * (1.0 - series * np.exp(-x * x))
    return 0.5 * values * (1.0 + erf)
