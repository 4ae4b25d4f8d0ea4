"""Training the reader: rows that can be read, batches that depend on their number alone, and an interruption that changes nothing."""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_weights import INTENTS, LAYERS, PIECES, WIDTH, write_base

from rag.search.reader import KINDS, LABELS, Passage, Reader, claim_input, question_input
from train import reader_rows
from train.reader_rows import labels_of, language_of, passage_of, question_rows, window

torch = pytest.importorskip("torch", reason="torch is not installed")
reader = pytest.importorskip("train.reader", reason="what trains the reader is not installed")
reader_base = pytest.importorskip("train.reader_base", reason="transformers is not installed")
reader_onnx = pytest.importorskip("train.reader_onnx", reason="onnx is not installed")
reader_start = pytest.importorskip("train.reader_start", reason="onnx is not installed")

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
ROWS = sorted((ROOT / "train" / "rows").glob("*.jsonl"))


# ---- rows of our own ----


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the public texts are not in {DATA}")
def test_our_rows_quote_the_public_texts():
    texts, seen = {}, set()
    files = {
        hashlib.sha256(file.relative_to(DATA).as_posix().encode()).hexdigest()[:12]: file for file in DATA.rglob("*") if file.is_file()
    }
    for path in ROWS:
        for row in reader_rows.read_lines(path):
            assert row["id"] not in seen, row["id"]
            seen.add(row["id"])
            if row["file"] not in texts:
                texts[row["file"]] = reader_rows.read_text(files[row["file"]])
            assert 0 <= row["start"] < row["end"] <= len(texts[row["file"]]), row["id"]
            passage = texts[row["file"]][row["start"] : row["end"]]
            spans = [*row["evidence"], *row.get("support", ())]
            assert all(0 <= low < high <= len(passage) and passage[low:high].strip() for low, high in spans), row["id"]
            if "claim" in row:
                assert row["label"] in LABELS and row["claim"].strip() and row["how"], row["id"]
                continue
            assert row["kind"] in KINDS and bool(row["evidence"]) == row["answerable"] and row["question"].strip(), row["id"]
            if row["answerable"]:
                quotes = [passage[low:high] for low, high in row["evidence"]]
                assert labels_of(passage_of(passage), quotes, 1.0).any(), row["id"]
    assert len(seen) > 1000


# ---- how a text becomes an example ----


def test_hard_wrapped_lines_are_joined_and_quotes_mark_their_sentences():
    passage = passage_of(
        "The tower was built of oak long before the\nrailway came. It stands.\nIt has\n a bell that is rung on every day of the year."
    )
    assert passage.sentences()[0] == "The tower was built of oak long before the railway came."
    assert labels_of(passage, ["before the\nrailway came."], 0.5).tolist()[:2] == [0.5, 0.0]
    assert labels_of(passage, ["came. It stands."], 1.0).tolist()[:2] == [0.0, 1.0]
    assert [language_of(text) for text in ("潮汐 Tide 电站", "The tide is high in the bay: 潮")] == ["zh", "en"]


@given(st.lists(st.integers(1, 120), min_size=1, max_size=30), st.data())
def test_a_window_is_a_run_of_sentences_that_holds_every_marked_one(lengths, data):
    text = "".join("a" * length + ". " for length in lengths)
    spans, at = [], 0
    for length in lengths:
        spans.append((at, at + length + 1))
        at += length + 2
    passage = reader_rows.Passage("", text, tuple(spans), "en")
    labels = data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=len(spans), max_size=len(spans)))
    sentences, marked = window(passage, labels, random.Random(data.draw(st.integers(0, 99))))
    whole = passage.sentences()
    assert any(
        whole[low : low + len(sentences)] == sentences and labels[low : low + len(sentences)] == marked
        for low in range(len(whole) - len(sentences) + 1)
    )
    assert sum(marked) == sum(labels)


@given(st.lists(st.integers(1, 352), max_size=80))
def test_a_pass_holds_what_fits_with_its_padding(lengths):
    examples = [{"input": claim_input(lambda text: [9] * len(text), "", ["x" * length]), "number": n} for n, length in enumerate(lengths)]
    made = reader.passes(examples)
    assert sorted(example["number"] for batch in made for example in batch) == list(range(len(lengths)))
    assert all(len(batch) * max(len(example["input"].ids) for example in batch) <= reader.PASS_TOKENS for batch in made)


def test_the_base_is_read_as_it_was_written(tmp_path):
    base = reader_base.open_base(write_base(tmp_path / "base.bin"))
    assert (base.width, base.layers, [piece for piece, _ in base.pieces]) == (WIDTH, LAYERS, list(PIECES))
    words = base.tensor("emb.word", len(PIECES), WIDTH).numpy()
    drawn = np.random.default_rng(7).standard_normal((len(PIECES), WIDTH)).astype(np.float32)
    assert np.abs(words - drawn).max() < np.abs(drawn).max() / 7 and np.corrcoef(words.ravel(), drawn.ravel())[0, 1] > 0.99
    rows = reader_base.cut_vocabulary(base, {"潮汐", "a"})
    kept = [base.pieces[row][0] for row in rows]
    assert kept == ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "a", "潮汐"]
    encoded = reader_base.tokenizer_of(base, rows).encode("潮汐z", add_special_tokens=False).ids
    assert 6 in encoded and encoded[-1] == 3
    state = reader_base.model_of(base, rows).state_dict()
    assert np.array_equal(state["embeddings.word_embeddings.weight"].numpy(), words[rows])


# ---- training ----


def write_lessons(data: Path) -> Path:
    """A small set of each kind that the training reads, in the forms in which they are published."""

    def save(name: str, rows) -> None:
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")

    def squad(name: str, texts) -> None:
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        articles = [
            {"title": f"t{n}", "paragraphs": [{"context": text, "qas": [{"question": asked, "answers": [{"answer_start": text.index(answer), "text": answer}]}]}]}
            for n, (text, asked, answer) in enumerate(texts)
        ]  # fmt: skip
        path.write_text(json.dumps({"data": articles}, ensure_ascii=False), encoding="utf-8")

    numbers = range(100, 160)
    tower = [f"the tower {n} is {n + 7} high. the hive at {n} is not. how is the tower?" for n in numbers]
    plant = [f"潮汐电站{n}的装机容量是{n + 7}。成本是{n}。蜂巢有多少蜜？" for n in numbers]
    rows = []
    for n, en, zh in zip(numbers, tower, plant, strict=True):
        first = en.split(". ")[0] + "."
        said = {"support": [], "why": "", "language": "en"}
        rows.append(
            {"passage": en, "evidence": [first], "question": f"how high is the tower {n}?", "kind": "number", "answerable": True, **said}
        )
        rows.append({"passage": en, "evidence": [], "question": f"who is at {n}?", "kind": "person", "answerable": False, **said})
        rows.append({"passage": zh, "evidence": [f"成本是{n}。"], "question": "成本是多少？", "kind": "number", "answerable": True, **said})
    save("questions/tiny.jsonl", rows)
    save("conversations/talks.jsonl", [{**row, "history": [{"question": "the hive?", "answer": "the hive."}]} for row in rows[::5]])
    for name in ("answerable", "unanswerable"):
        save(
            f"clapnq_half/{name}.jsonl",
            [
                {"input": f"is it {n}?", "passages": [{"text": text, "title": "hive"}], "output": [{"selected_sentences": [text[:24]]}]}
                for n, text in zip(numbers, tower, strict=True)
            ],
        )
    save(
        "claims/claims.jsonl",
        [
            {"passage": text, "evidence": [text.split(". ")[0] + "."], "claim": f"it is {n + k}.", "label": label, "how": "figure"}
            for n, text in zip(numbers, tower, strict=True)
            for k, label in enumerate(LABELS)
        ],
    )
    save(
        "intents/intents.jsonl",
        [
            {"id": f"en-{intent}-{n:03}", "text": f"{intent} {n}", "language": "en", "history": bool(n % 2), "intent": intent}
            for intent in INTENTS
            for n in range(1, 55)
        ],
    )
    save("tatoeba_cmn_en/cmn.txt", [])
    (data / "tatoeba_cmn_en" / "cmn.txt").write_text(
        "".join(f"the tower is as high as the hive {n}\t塔高{n}\tCC-BY 2.0\n" for n in numbers), encoding="utf-8"
    )
    english = [(text, f"how high is the tower {n}?", str(n + 7)) for n, text in zip(numbers, tower, strict=True)]
    chinese = [(text, f"潮汐电站{n}的装机容量？", str(n + 7)) for n, text in zip(numbers, plant, strict=True)]
    squad("squad_half/dev_first24articles.json", english)
    squad("cmrc2018/train.json", chinese)
    squad("xquad_half/en.json", english[:12])
    squad("xquad_half/zh.json", chinese[:12])
    return data


@pytest.fixture(scope="module")
def lessons(tmp_path_factory) -> Path:
    return write_lessons(tmp_path_factory.mktemp("lessons"))


@pytest.fixture
def base(tmp_path, monkeypatch) -> Path:
    path = write_base(tmp_path / "base.bin")
    for module in (reader, reader_onnx, reader_start):
        monkeypatch.setattr(module, "base_file", lambda: path)
    return path


def options(data: Path, work: Path, steps: int = 6) -> argparse.Namespace:
    work.mkdir(exist_ok=True)
    if not (work / "rows.json").is_file():
        reader.build_vocabulary(data, work)
    fixed = {"own": None, "decay": 2, "rate": 1e-3, "frozen": 1, "seed": 3, "threads": 1, "save": 2, "measure": 100, "weights": None}
    return argparse.Namespace(data=data, work=work, steps=steps, **fixed)


def checkpoint(work: Path) -> dict:
    return torch.load(work / "checkpoint.pt", weights_only=True)


def test_a_training_that_is_stopped_goes_on_to_the_very_same_weights(lessons, base, tmp_path, monkeypatch):
    reader.train(options(lessons, tmp_path / "whole"))
    plain = reader.Sampler.step

    def stopped(sampler, number):
        if number == 5:  # after the checkpoint of step 4 and one more step, which is lost
            raise KeyboardInterrupt
        return plain(sampler, number)

    with monkeypatch.context() as patch:
        patch.setattr(reader.Sampler, "step", stopped)
        with pytest.raises(KeyboardInterrupt):
            reader.train(options(lessons, tmp_path / "cut"))
    assert checkpoint(tmp_path / "cut")["step"] == 4
    reader.train(options(lessons, tmp_path / "cut"))

    whole, cut = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "cut")
    assert whole["step"] == cut["step"] == 6
    for part in ("model", "mean"):
        assert whole[part].keys() == cut[part].keys() and all(torch.equal(value, cut[part][name]) for name, value in whole[part].items())
    states = whole["optimizer"]["state"], cut["optimizer"]["state"]
    assert all(torch.equal(value, states[1][n][name]) for n, kept in states[0].items() for name, value in kept.items())
    learned = {name.split(".")[0] for name in whole["model"]}
    assert learned == {"trunk", "heads", "words"} and not any(".layer.0." in name or "embeddings" in name for name in whole["model"])
    assert any(not torch.equal(whole["model"][name], whole["mean"][name]) for name in whole["model"])
    assert not list(tmp_path.glob("*/*.new"))


def test_a_step_depends_on_its_number_alone_and_a_deck_gives_each_row_once(lessons, base, tmp_path):
    given_options = options(lessons, tmp_path / "work")
    tokenizer = reader_base.tokenizer_of(reader_base.open_base(base), json.loads((given_options.work / "rows.json").read_text()))
    busy, fresh = (reader.Sampler(lessons, None, tokenizer, 3) for _ in range(2))
    for number in (0, 1, 7):
        busy.step(number)
    assert busy.step(4) == fresh.step(4) != fresh.step(5)
    assert reader.Sampler(lessons, None, tokenizer, 4).step(4) != fresh.step(4)
    rows = list(range(10))
    drawn = [row for step in range(5) for row in fresh.turn(rows, 4, step, "own")]
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == rows and drawn[:10] != drawn[10:]
    held = {row.passage.text for row in fresh.held_questions}
    assert held and not held & {row.passage.text for row in fresh.own if row.source != "clapnq"}
    assert len(question_rows(lessons)) == 180 + 36


def test_what_is_written_for_onnxruntime_computes_what_was_trained(lessons, base, tmp_path, monkeypatch):
    made = options(lessons, tmp_path / "work", steps=2)
    reader.train(made)
    (tmp_path / "none").mkdir()
    command = ["reader_onnx", "--data", lessons, "--own", tmp_path / "none", "--work", made.work, "--output", tmp_path / "reader"]
    monkeypatch.setattr(sys, "argv", [str(part) for part in command])
    reader_onnx.main()
    settings = json.loads((tmp_path / "reader" / "reader.json").read_text())
    assert settings["steps"] == 2 and len(settings["revision"]) == 12
    settings |= {"intents": INTENTS, "mix": [1.0, 0.0, 0.0, 0.0], "calibration": {}, "thresholds": {}}  # what calibrating adds
    (tmp_path / "reader" / "reader.json").write_text(json.dumps(settings))
    shipped = Reader(tmp_path / "reader", threads=1)

    saved, rows = checkpoint(made.work), json.loads((made.work / "rows.json").read_text())
    model = reader.ReaderModel(reader_base.model_of(reader_base.open_base(base), rows), len(INTENTS)).eval()
    model.load_state_dict(saved["mean"], strict=False)
    passage = Passage("hive", ("the tower 101 is 108 high.", "how is the hive?", "潮汐电站的成本是 3 。"))
    one = question_input(shipped._tokens, "how high is the tower 101?", passage.heading, passage.sentences)
    ids, mask, sentence_of = reader.padded([one])
    with torch.inference_mode():
        hidden = model.trunk(input_ids=ids, attention_mask=mask).last_hidden_state
        scores, answers = model.sentences(hidden, sentence_of)[0], model.heads["passage"](hidden[:, 0])[0, 0]
    reading = shipped.read("how high is the tower 101?", [passage])[0]
    assert reading.answers == pytest.approx(float(answers), abs=0.05)
    assert reading.sentences == pytest.approx(scores.tolist(), abs=0.05)

    monkeypatch.setattr(sys, "argv", ["reader_start", "--reader", str(tmp_path / "reader"), "--work", str(tmp_path / "again")])
    reader_start.main()
    start = torch.load(tmp_path / "again" / "start.pt", weights_only=True)
    assert (tmp_path / "again" / "rows.json").read_text() == (made.work / "rows.json").read_text()
    assert start.keys() >= {name for name in saved["mean"] if not name.startswith("words.")}
    for name, value in saved["mean"].items():
        if not name.startswith("words."):
            assert torch.allclose(start[name], value, atol=0.02 * float(value.abs().max()) + 1e-6), name
    more = options(lessons, tmp_path / "again", steps=1)
    more.weights, more.rate = tmp_path / "again" / "start.pt", 0.0
    reader.train(more)
    assert all(torch.equal(checkpoint(tmp_path / "again")["model"][name], start[name]) for name in start if ".layer.0." not in name)


def test_the_words_of_an_answer_are_found_in_the_marked_sentences(lessons, base, tmp_path):
    work = options(lessons, tmp_path / "work").work
    tokenizer = reader_base.tokenizer_of(reader_base.open_base(base), json.loads((work / "rows.json").read_text()))
    sampler = reader.Sampler(lessons, None, tokenizer, 3)
    sentences = ["the tower 101 is 108 high.", "how high is the tower 101?"]
    one = question_input(sampler.encode, "how high?", "", sentences)
    ((first, last),) = sampler.words_in(one, sentences, [0.0, 1.0], "the tower")
    read = [tokenizer.id_to_token(number) for number in one.ids[first : last + 1]]
    assert one.sentence_of[first] == one.sentence_of[last] == 1 and "".join(read).replace("▁", " ").strip() == "the tower"
    assert sampler.words_in(one, sentences, [1.0, 0.0], "how high") == []
