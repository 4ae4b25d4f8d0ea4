"""Trains the reader: `python -m train.reader --data DATA --work WORK [--steps N]`, on one core or several, or a GPU.

    torchrun --nproc-per-node 2 -m train.reader ...    two processes of one thread each share every step

Stages: `vocabulary` (pieces that Chinese and English text uses), `train` (checkpoints in WORK; a second call goes on exactly where the
last one stopped, since every batch is drawn from the seed and the number of its step), `measure` (held-back passages, every so often).
The learning rate is level after its warm-up; `--decay N` lets it fall to nothing over the last N of `--steps`. A running mean of the weights is
what is measured and kept.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

from rag.search.reader import KINDS, LABELS, PAD, ReaderInput, claim_input, message_input, question_input
from rag.types import Turn
from train.reader_base import base_file, cut_vocabulary, model_of, open_base, tokenizer_of
from train.reader_rows import (
    HELD_BACK_CLAIMS,
    ClaimRow,
    MessageRow,
    QuestionRow,
    claim_rows,
    clapnq_rows,
    factoid_sets,
    is_held_back,
    language_of,
    message_rows,
    near_passages,
    pair_rows,
    question_rows,
    read_text,
    window,
)

# Examples of a step, by form; the rest of a step are factoid sets.
STEP, OWN, TALKS, CLAIMS, PAIRS, MESSAGES = 20, 7, 1, 4, 1, 6
# Tokens of one forward pass, padding included.
PASS_TOKENS = 4096
# Inputs of one pass differ in length by this factor at most, since padding costs as much as text.
LONGER = 1.25
RATE, WARM_UP, KEPT_SHARE, CLIP = 1e-4, 100, 0.995, 1.0
# The heads begin with nothing and learn so many times faster than the trunk.
HEADS_FASTER = 4.0
# Processors without bfloat16 of their own compute with it fifteen times slower than with float32.
HALF = torch.cuda.is_available() or any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16"))
# Share of the examples that are cut short, and to which share of the usual window.
SHORT, SHORTENED = 0.6, 0.45
TEXTS = (
    "squad_half/contexts.txt", "filings_text/*.txt", "cmrc2018/train_contexts.txt", "tatoeba_cmn_en/cmn.txt", "csl/kg/*.tsv",
    "csl/ts/*.tsv", "xquad_half/*.json", "clapnq_half/*.jsonl", "intents/*.jsonl", "text_zh_en/**/*.md*", "cedict/*.gz", "news_zh/*.gz",
)  # fmt: skip


class ReaderModel(nn.Module):
    """One trunk and its heads: sentences (mean of their tokens), passage, support, intent and kind (first token)."""

    def __init__(self, trunk: nn.Module, intents: int) -> None:
        super().__init__()
        self.trunk = trunk
        width = trunk.config.hidden_size
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, size))
                for name, size in (("sentence", 1), ("passage", 1), ("support", len(LABELS)), ("intent", intents), ("kind", len(KINDS)))
            }
        )
        # Where the words of a short answer start and end, by token. It only teaches the trunk, and is not shipped.
        self.words = nn.Linear(width, 2)

    def hidden(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Encode: (batch, tokens) to float32 (batch, tokens, width)."""
        with torch.autocast(ids.device.type, dtype=torch.bfloat16, enabled=HALF):
            return self.trunk(input_ids=ids, attention_mask=mask).last_hidden_state.float()

    def sentences(self, hidden: torch.Tensor, sentence_of: torch.Tensor) -> torch.Tensor:
        """Score each sentence, logits (batch, sentences); columns past an input's own sentences mean nothing."""
        count = max(1, int(sentence_of.max()) + 1)
        one = functional.one_hot(sentence_of.clamp(min=0), count).float() * (sentence_of >= 0)[..., None]
        pooled = torch.einsum("bth,btn->bnh", hidden, one) / one.sum(1)[..., None].clamp(min=1)
        return self.heads["sentence"](pooled)[..., 0]


def build_vocabulary(data: Path, work: Path) -> None:
    """Count pieces over the public texts and keep those that occur, with every single letter of both scripts."""
    base = open_base(base_file())
    whole = tokenizer_of(base, cut_vocabulary(base, {piece for piece, _ in base.pieces}))
    counts: Counter[int] = Counter()
    for pattern in TEXTS:
        for path in sorted(data.glob(pattern)):
            lines = [line.strip()[:3000] for line in read_text(path).split("\n") if line.strip()]
            lines = lines[::4] if "news" in pattern else lines
            for low in range(0, len(lines), 500):
                for encoded in whole.encode_batch(lines[low : low + 500], add_special_tokens=False):
                    counts.update(encoded.ids)
    kept = {whole.id_to_token(number) for number in counts}
    kept |= {piece for piece, _ in base.pieces if len(piece.lstrip("▁")) <= 1 and not _is_foreign(piece.lstrip("▁"))}
    rows = cut_vocabulary(base, kept)
    tokenizer_of(base, rows).save(str(work / "tokenizer.json"))
    (work / "rows.json").write_text(json.dumps(rows))
    print(f"vocabulary: {len(rows)} of {len(base.pieces)} pieces", flush=True)


def _is_foreign(letter: str) -> bool:
    """Tell letters of scripts that neither Chinese nor English text uses, from Armenian to Ethiopic and Hangul."""
    return bool(letter) and (0x0530 <= ord(letter) <= 0x1DFF or 0xA000 <= ord(letter) <= 0xD7FF)


class Sampler:
    """Draws the examples of a step from the seed and the step's number alone."""

    def __init__(self, data: Path, own: Path | None, tokenizer: Tokenizer, seed: int) -> None:
        self.seed, self.encode = seed, Encoder(tokenizer)
        rows = question_rows(data, own)
        self.held_questions = [row for row in rows if is_held_back(row.passage.text)]
        rows = [row for row in rows if not is_held_back(row.passage.text)] + clapnq_rows(data)
        self.talks = [row for row in rows if row.history]
        self.own = [row for row in rows if not row.history]
        claims = claim_rows(data, own)
        self.held_claims = [row for row in claims if is_held_back(row.passage.text, HELD_BACK_CLAIMS)]
        self.claims = [row for row in claims if not is_held_back(row.passage.text, HELD_BACK_CLAIMS)]
        messages = message_rows(data)
        self.intents = sorted({row.intent for row in messages})
        self.held_messages = [row for row in messages if row.block % 8 == 7]
        self.messages = [row for row in messages if row.block % 8 != 7]
        self.kinds = [row for row in self.own if row.kind]
        self.pairs = pair_rows(data)
        self.sets = factoid_sets(data)
        self.by_text: dict[str, list[int]] = {}
        for number, row in enumerate(self.own):
            self.by_text.setdefault(row.passage.text, []).append(number)
        self.by_source: dict[str, list[int]] = {}
        for number, row in enumerate(self.own):
            self.by_source.setdefault(row.source, []).append(number)
        self.near = near_passages(self.own)
        sizes = [len(s.questions) for s in self.sets]
        self.weights = [size**0.7 * (1.6 if " " in s.name else 1.0) for size, s in zip(sizes, self.sets, strict=True)]
        print(
            f"rows: own {len(self.own)}, talks {len(self.talks)}, claims {len(self.claims)}, messages {len(self.messages)}, sets {sizes}; "
            f"held back {len(self.held_questions)}, {len(self.held_claims)}, {len(self.held_messages)}",
            flush=True,
        )

    def turn(self, rows: list, count: int, step: int, what: str) -> list:
        """Take the next rows of a deck that is shuffled anew each time round."""
        first, out = step * count, []
        for k in range(first, first + count):
            round_, place = divmod(k, len(rows))
            out.append(rows[self.order(len(rows), round_, what)[place]])
        return out

    def order(self, size: int, round_: int, what: str) -> list[int]:
        key = (size, round_, what)
        if getattr(self, "_orders", {}).get(what, (None, None))[0] != key:
            order = list(range(size))
            random.Random(f"{self.seed} {key}").shuffle(order)
            self._orders = {**getattr(self, "_orders", {}), what: (key, order)}
        return self._orders[what][1]

    def step(self, number: int) -> list[dict]:
        """Make the examples of one step."""
        draw = random.Random(f"{self.seed} step {number}")
        out = [self.question(row, draw) for row in self.turn(self.own, OWN, number, "own") + self.turn(self.talks, TALKS, number, "talks")]
        out += [self.claim(row, draw) for row in self.turn(self.claims, CLAIMS, number, "claims")]
        out += [self.pair(row, draw) for row in self.turn(self.pairs, PAIRS, number, "pairs")]
        out += [self.factoid(draw) for _ in range(STEP - len(out))]
        out += [self.message(row, draw) for row in self.turn(self.messages, MESSAGES, number, "messages")]
        out += [self.kind(row) for row in self.turn(self.kinds, MESSAGES, number, "kinds")]
        return out

    def question(self, row: QuestionRow, draw: random.Random) -> dict:
        passage, labels, answers, history = row.passage, row.labels, row.answerable, row.history
        if answers and not history and draw.random() < 0.25:
            # Another passage, of the same matters, yet it does not answer: one that a search would bring, or any of the same file.
            other = draw.choice(
                self.near.get((row.question, row.passage.text)) or [self.own[draw.choice(self.by_source[row.source])].passage]
            )
            told = [s for s, label in zip(passage.sentences(), labels, strict=True) if label]
            if not any(sentence in other.text for sentence in told):
                passage, labels, answers = other, (0.0,) * len(other.spans), False
        if not history and draw.random() < 0.2:
            # A turn before that the question does not lean on.
            before = self.own[draw.choice(self.by_text[row.passage.text])]
            told = [s for s, label in zip(before.passage.sentences(), before.labels, strict=True) if label == 1]
            if told and before.question != row.question:
                history = (Turn(before.question, told[0]),)
        sentences, marked = window(passage, labels, draw, shortened(draw))
        return self.read(row.question, passage.heading, sentences, marked, answers, draw, history)

    def factoid(self, draw: random.Random) -> dict:
        chosen = draw.choices(self.sets, self.weights)[0]
        number = draw.randrange(len(chosen.questions))
        asked = chosen.questions[number]
        if draw.random() < 0.45 and chosen.neighbours[number]:
            passage = chosen.passages[draw.choice(chosen.neighbours[number][:6])]
            sentences, marked = window(passage, (0.0,) * len(passage.spans), draw, shortened(draw))
            return self.read(asked.question, passage.heading, sentences, marked, False, draw)
        passage = chosen.passages[asked.passage]
        sentences, marked = window(passage, asked.labels, draw, shortened(draw))
        example = self.read(asked.question, passage.heading, sentences, marked, True, draw)
        return example | {"words": self.words_in(example["input"], sentences, marked, asked.words)}

    def words_in(self, one: ReaderInput, sentences: list[str], marked: list[float], words: str) -> list[tuple[int, int]]:
        """Find the tokens (first, last) that hold the words of an answer, in the marked sentences."""
        found = []
        for number in range(one.sentences):
            if not marked[number]:
                continue
            text = sentences[number].strip()
            start, places = text.find(words), [i for i, of in enumerate(one.sentence_of) if of == number]
            inside = [
                i for i, (low, high) in zip(places, self.encode.offsets(text), strict=False) if low < start + len(words) and high > start
            ]
            if start >= 0 and inside:
                found.append((inside[0], inside[-1]))
        return found

    def read(self, question, heading, sentences, marked, answers, draw, history=()) -> dict:
        heading = heading if draw.random() < 0.6 else ""
        return {
            "form": "question",
            "input": question_input(self.encode, question, heading, sentences, history),
            "labels": marked,
            "answers": answers,
        }

    def claim(self, row: ClaimRow, draw: random.Random) -> dict:
        sentences = row.passage.sentences()
        if row.evidence and draw.random() < 0.5:
            near = {i + d for i in row.evidence for d in ((0,) if draw.random() < 0.5 else (-1, 0, 1))}
            sentences = [s for i, s in enumerate(sentences) if i in near]
        return {"form": "claim", "input": claim_input(self.encode, row.claim, sentences), "label": row.label}

    def pair(self, row: tuple[str, str], draw: random.Random) -> dict:
        claim, evidence = row if draw.random() < 0.5 else row[::-1]
        if draw.random() < 0.5:
            return {"form": "claim", "input": claim_input(self.encode, claim, [evidence]), "label": 0}
        other = draw.choice(self.pairs)[0 if language_of(evidence) == "en" else 1]
        return {"form": "claim", "input": claim_input(self.encode, claim, [other]), "label": 2}

    def message(self, row: MessageRow, draw: random.Random) -> dict:
        return {
            "form": "message",
            "input": message_input(self.encode, row.text, row.after_answer),
            "intent": self.intents.index(row.intent),
        }

    def kind(self, row: QuestionRow) -> dict:
        return {"form": "message", "input": message_input(self.encode, row.question, False), "kind": KINDS.index(row.kind)}


def shortened(draw: random.Random) -> float:
    """Draw the share of the usual window that an example gets."""
    return SHORTENED if draw.random() < SHORT else 1.0


class Encoder:
    """Text to token ids, remembered."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer, self.known = tokenizer, {}

    def __call__(self, text: str) -> list[int]:
        if text not in self.known:
            if len(self.known) > 300_000:
                self.known.clear()
            self.known[text] = self.tokenizer.encode(text.strip(), add_special_tokens=False).ids
        return self.known[text]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Tell where each token stands in a text, in characters (start, end)."""
        return self.tokenizer.encode(text, add_special_tokens=False).offsets


def padded(inputs: list[ReaderInput]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Stack inputs: ids, mask and sentence numbers, each (batch, tokens)."""
    length = max(len(one.ids) for one in inputs)
    ids = torch.full((len(inputs), length), PAD)
    sentence_of = torch.full((len(inputs), length), -1)
    for i, one in enumerate(inputs):
        ids[i, : len(one.ids)] = torch.tensor(one.ids)
        sentence_of[i, : len(one.ids)] = torch.tensor(one.sentence_of)
    return ids, (ids != PAD).long(), sentence_of


def passes(examples: list[dict]) -> list[list[dict]]:
    """Put examples of like length together, up to PASS_TOKENS with padding."""
    out, current = [], []
    for example in sorted(examples, key=lambda e: len(e["input"].ids)):
        length = len(example["input"].ids)
        if current and ((len(current) + 1) * length > PASS_TOKENS or length > LONGER * len(current[0]["input"].ids)):
            out.append(current)
            current = []
        current.append(example)
    return out + [current] if current else out


def losses(model: ReaderModel, examples: list[dict], device: str) -> tuple[torch.Tensor, Counter]:
    """Sum the losses of the examples, each of weight one, and count what was right."""
    ids, mask, sentence_of = (t.to(device) for t in padded([e["input"] for e in examples]))
    hidden = model.hidden(ids, mask)
    first, total, tally = hidden[:, 0], torch.zeros((), device=device), Counter()
    asked = [i for i, e in enumerate(examples) if e["form"] == "question"]
    if asked:
        scores = model.sentences(hidden[asked], sentence_of[asked])
        answers = model.heads["passage"](first[asked])[:, 0]
        for row, i in enumerate(asked):
            example = examples[i]
            count = example["input"].sentences
            labels = torch.tensor(example["labels"][:count], device=device)
            own = scores[row, :count]
            total = total + functional.binary_cross_entropy_with_logits(own, labels)
            if labels.sum() > 0 and count > 1:
                total = total - 0.4 * (torch.log_softmax(own, 0) * labels).sum() / labels.sum()
                tally["top n"] += 1
                tally["top"] += int(labels[int(own.argmax())] > 0)
        truth = torch.tensor([float(examples[i]["answers"]) for i in asked], device=device)
        total = total + 1.2 * functional.binary_cross_entropy_with_logits(answers, truth, reduction="sum")
        tally["answers n"] += len(asked)
        tally["answers"] += int(((answers > 0) == (truth > 0.5)).sum())
    worded = [(i, e["words"]) for i, e in enumerate(examples) if e.get("words")]
    if worded:
        logits = model.words(hidden[[i for i, _ in worded]])
        logits = logits.masked_fill((sentence_of[[i for i, _ in worded]] < 0)[..., None], -1e4)
        chance = torch.log_softmax(logits, 1)
        for row, (_, spans) in enumerate(worded):
            starts, ends = (torch.tensor(sorted(set(side)), device=device) for side in zip(*spans, strict=True))
            total = total - 0.25 * (torch.logsumexp(chance[row, starts, 0], 0) + torch.logsumexp(chance[row, ends, 1], 0))
            tally["words n"] += 1
            tally["words"] += int(int(chance[row, :, 0].argmax()) in starts.tolist())
    for form, head, key, weight in (
        ("claim", "support", "label", 1.3),
        ("message", "intent", "intent", 0.5),
        ("message", "kind", "kind", 0.4),
    ):
        mine = [i for i, e in enumerate(examples) if e["form"] == form and key in e]
        if mine:
            logits = model.heads[head](first[mine])
            truth = torch.tensor([examples[i][key] for i in mine], device=device)
            total = total + weight * functional.cross_entropy(logits, truth, reduction="sum", label_smoothing=0.03)
            tally[head + " n"] += len(mine)
            tally[head] += int((logits.argmax(1) == truth).sum())
    return total, tally


@torch.inference_mode()
def measure(model: ReaderModel, sampler: Sampler, device: str, limit: int = 10_000) -> dict[str, float]:
    """Measure on the held-back rows: AUROC of answerable, best sentence, claims, intents, kinds."""
    from sklearn.metrics import f1_score, roc_auc_score

    model.eval()
    draw, figures = random.Random(3), {}
    rows = sampler.held_questions[:limit]
    examples = []
    for row in rows:
        sentences, marked = window(row.passage, row.labels, draw)
        examples.append(sampler.read(row.question, "", sentences, marked, row.answerable, draw, row.history) | {"row": row})
    for row in sampler.held_claims[:limit]:
        examples.append(
            {"form": "claim", "input": claim_input(sampler.encode, row.claim, row.passage.sentences()), "label": row.label, "row": row}
        )
    for row in sampler.held_messages[:limit]:
        examples.append(sampler.message(row, draw) | {"row": row})
    for row in rows:
        if row.kind and not row.history:
            examples.append(sampler.kind(row) | {"row": row})
    scored: dict[str, list] = {"answers": [], "best": [], "support": [], "intent": [], "kind": []}
    for batch in passes(examples):
        ids, mask, sentence_of = (t.to(device) for t in padded([e["input"] for e in batch]))
        hidden = model.hidden(ids, mask)
        sentence_scores = model.sentences(hidden, sentence_of)
        for i, example in enumerate(batch):
            first, row = hidden[i, 0], example["row"]
            if example["form"] == "question":
                pair = f"{row.language}-{row.passage.language}" + (" talk" if row.history else "")
                scored["answers"].append((float(model.heads["passage"](first)[0]), row.answerable, pair))
                if row.answerable:
                    own = sentence_scores[i, : example["input"].sentences]
                    scored["best"].append((example["labels"][int(own.argmax())] > 0, pair))
            elif example["form"] == "claim":
                chance = functional.softmax(model.heads["support"](first), 0)
                scored["support"].append((float(chance[2]), row.label, f"{row.language}-{row.passage.language}"))
            elif "intent" in example:
                scored["intent"].append((int(model.heads["intent"](first).argmax()), example["intent"]))
            else:
                scored["kind"].append((int(model.heads["kind"](first).argmax()), example["kind"]))
    answers = scored["answers"]
    for pair in ("", *sorted({p for *_, p in answers})):
        mine = [(s, t) for s, t, p in answers if pair in ("", p)]
        if len({t for _, t in mine}) == 2:
            figures["auroc " + pair] = roc_auc_score([t for _, t in mine], [s for s, _ in mine])
        hits = [hit for hit, p in scored["best"] if pair in ("", p)]
        figures["best " + pair] = float(np.mean(hits)) if hits else float("nan")
    good = sorted(s for s, label, _ in scored["support"] if label == 0)
    if good:
        threshold = good[min(len(good) - 1, int(0.92 * len(good)))]
        figures["caught at .08"] = float(np.mean([s > threshold for s, label, _ in scored["support"] if label == 2]))
        figures["auroc claims"] = roc_auc_score(
            [label == 2 for _, label, _ in scored["support"] if label != 1], [s for s, label, _ in scored["support"] if label != 1]
        )
    figures["intent f1"] = f1_score([t for _, t in scored["intent"]], [g for g, _ in scored["intent"]], average="macro")
    figures["kind"] = float(np.mean([g == t for g, t in scored["kind"]]))
    model.train()
    return {name: round(value, 4) for name, value in figures.items()}


def rate_at(step: int, options: argparse.Namespace) -> float:
    """Give the learning rate: warm-up, level, and a straight fall over the last `--decay` steps."""
    fall = min(1.0, (options.steps - step) / options.decay) if options.decay else 1.0
    return options.rate * min(1.0, (step + 1) / WARM_UP) * max(0.01, fall)


def train(options: argparse.Namespace) -> None:
    """Train to `--steps`, from the newest checkpoint in WORK if there is one."""
    rank, ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(1 if device == "cpu" and ranks > 1 else options.threads)
    if ranks > 1:
        dist.init_process_group("gloo")
    torch.manual_seed(options.seed)
    base, rows = open_base(base_file()), json.loads((options.work / "rows.json").read_text())
    tokenizer = Tokenizer.from_file(str(options.work / "tokenizer.json"))
    sampler = Sampler(options.data, options.own, tokenizer, options.seed)
    trunk = model_of(base, rows)
    for module in trunk.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model = ReaderModel(trunk, len(sampler.intents)).to(device)
    for part in (trunk.embeddings, *trunk.encoder.layer[: options.frozen]):
        part.requires_grad_(False)
    for module in trunk.encoder.layer[: options.frozen].modules():
        if HALF and isinstance(module, nn.Linear):
            module.to(torch.bfloat16)  # once, instead of at every pass
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
    groups = [{"params": [p for name, p in learned.items() if name.startswith(part)]} for part in ("trunk.", ("heads.", "words."))]
    optimizer = torch.optim.AdamW(groups, lr=options.rate, weight_decay=0.01, fused=True)
    mean = {name: p.detach().clone() for name, p in learned.items()}
    step, path = 0, options.work / "checkpoint.pt"
    if path.is_file():
        saved = torch.load(path, map_location=device, weights_only=True)
        model.load_state_dict(saved["model"], strict=False)
        optimizer.load_state_dict(saved["optimizer"])
        mean, step = {name: value.to(device) for name, value in saved["mean"].items()}, saved["step"]
        print(f"goes on at step {step}", flush=True)
    elif options.weights:
        model.load_state_dict(torch.load(options.weights, map_location=device, weights_only=True), strict=False)
        mean = {name: p.detach().clone() for name, p in learned.items()}
    started, since, tally, loss_sum = time.time(), step, Counter(), 0.0
    model.train()
    while step < options.steps:
        for group, faster in zip(optimizer.param_groups, (1.0, HEADS_FASTER), strict=True):
            group["lr"] = faster * rate_at(step, options)
        examples = sorted(sampler.step(step), key=lambda e: len(e["input"].ids))[rank::ranks]
        optimizer.zero_grad()
        for batch in passes(examples):
            loss, counts = losses(model, batch, device)
            (loss / STEP).backward()
            loss_sum += float(loss.detach()) / STEP * ranks
            tally.update(counts)
        if ranks > 1:
            flat = torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).reshape(-1) for p in learned.values()])
            dist.all_reduce(flat)
            at = 0
            for p in learned.values():
                p.grad = flat[at : at + p.numel()].view_as(p)
                at += p.numel()
        torch.nn.utils.clip_grad_norm_(learned.values(), CLIP)
        optimizer.step()
        step += 1
        with torch.no_grad():
            share = min(KEPT_SHARE, step / (step + 10))
            for name, p in learned.items():
                mean[name].lerp_(p, 1 - share)
        if rank == 0 and step % 20 == 0:
            right = " ".join(
                f"{k} {tally[k] / tally[k + ' n']:.3f}" for k in ("answers", "top", "words", "support", "intent", "kind") if tally[k + " n"]
            )
            print(
                f"{step} {(step - since) * STEP / (time.time() - started):.1f}/s rate {rate_at(step, options):.1e} loss {loss_sum / 20:.3f} {right}",
                flush=True,
            )
            tally, loss_sum = Counter(), 0.0
        elif step % 20 == 0:
            tally, loss_sum = Counter(), 0.0
        if step % options.save == 0 or step == options.steps:
            if rank == 0:
                _save(path, model, optimizer, mean, step, learned)
                if step % options.measure == 0 or step == options.steps:
                    print("measured", step, json.dumps(_with_mean(model, mean, lambda: measure(model, sampler, device))), flush=True)
            if ranks > 1:
                dist.barrier()


def _with_mean(model, mean, what):
    """Call with the mean weights in place, then put the live ones back."""
    live = {name: p.detach().clone() for name, p in model.named_parameters() if name in mean}
    model.load_state_dict(mean, strict=False)
    try:
        return what()
    finally:
        model.load_state_dict(live, strict=False)


def _save(path: Path, model, optimizer, mean, step, learned) -> None:
    """Write the checkpoint beside the old one, then take its place."""
    state = {name: value for name, value in model.state_dict().items() if name in learned}
    fresh = path.with_suffix(".new")
    torch.save({"model": state, "optimizer": optimizer.state_dict(), "mean": mean, "step": step}, fresh)
    fresh.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--own", type=Path, help="folder of further rows in the same form")
    parser.add_argument("--weights", type=Path, help="weights to begin with, as `train.reader_start` writes them")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--decay", type=int, default=0)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--frozen", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save", type=int, default=100)
    parser.add_argument("--measure", type=int, default=300)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if not (options.work / "rows.json").is_file():
        build_vocabulary(options.data, options.work)
    train(options)


if __name__ == "__main__":
    main()
