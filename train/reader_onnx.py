"""Writes the trained reader for onnxruntime: `python -m train.reader_onnx --data DATA --work WORK --output rag/model/reader`.

The graph is put together here, node by node, with the fused operators of onnxruntime: word embeddings stay in the 4 bits that they came in
(blocks of 32, without loss), the matrices of the layers become 8 bits. Heads are a few small matrices in `heads.safetensors`, float32.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from transformers import BertModel

from rag.search.reader import ReaderInput, question_input
from train.reader_base import Base, base_file, model_of, open_base, tokenizer_of
from train.reader_rows import is_held_back, question_rows

BLOCK = 64
# Share of the range that smoothing takes from activations, and the layers that are multiplied block by block.
SMOOTH = 0.65
EXACT: frozenset[str] = frozenset()
# Questions that are read to see how far activations go.
SAMPLE = 64
EMBEDDING_BLOCK = 32
MICROSOFT = "com.microsoft"


class Graph:
    """Collects nodes and constants under names of their own."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes))
        return output


def matrix(graph: Graph, name: str, value: str, weight: np.ndarray, bias: np.ndarray, reach: np.ndarray) -> str:
    """Multiply by an 8-bit matrix (out, in) and add its bias; activations are quantised as they come, one scale for a run.

    `reach` (in,) holds how far each input has been seen to go. The wide ones are made smaller before they are quantised, and their
    weights larger, so that one dimension does not cost the others their digits (SmoothQuant, Xiao et al. 2023).
    """
    smooth = np.maximum(reach, 1e-3) ** SMOOTH / np.maximum(np.abs(weight).max(0), 1e-4) ** (1 - SMOOTH)
    smooth = smooth / np.exp(np.log(smooth).mean())
    columns = (weight * smooth).T
    scale = np.abs(columns).max(0) / 127
    graph.constant(name + ".inverse", (1 / smooth).astype(np.float32))
    graph.constant(name + ".codes", np.rint(columns / scale).astype(np.int8))
    graph.constant(name + ".scale", scale.astype(np.float32))
    graph.constant(name + ".zero", np.zeros(len(scale), np.int8))
    graph.constant(name + ".bias", bias)
    graph.add("Mul", [value, name + ".inverse"], name + ".smooth")
    inputs = [name + part for part in (".smooth", ".codes", ".scale", ".zero", ".bias")]
    return graph.add("DynamicQuantizeMatMul", inputs, name, MICROSOFT)


def quantize(weight: np.ndarray, bits: int, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Round a matrix (rows, columns) to unsigned codes with the middle for zero: codes (rows, columns) uint8 and scales (rows, blocks)."""
    rows, columns = weight.shape
    parts = weight.reshape(rows, columns // block, block)
    middle = 2 ** (bits - 1)
    top = np.abs(parts).max(-1, keepdims=True)
    scale = np.where(top > 0, top / (middle - 1), 1.0).astype(np.float32)
    codes = np.clip(np.rint(parts / scale) + middle, 0, 2**bits - 1).astype(np.uint8)
    return codes.reshape(rows, columns), scale[..., 0]


def exact_matrix(graph: Graph, name: str, value: str, weight: np.ndarray, bias: np.ndarray) -> str:
    """Multiply by an 8-bit matrix (out, in) and add its bias; a scale for each block of weights and of activations: slower and closer."""
    out, inner = weight.shape
    codes, scale = quantize(weight, 8, BLOCK)
    graph.constant(name + ".codes", codes.reshape(out, inner // BLOCK, BLOCK))
    graph.constant(name + ".scale", scale.reshape(-1))
    graph.constant(name + ".bias", bias)
    return graph.add(
        "MatMulNBits",
        [value, name + ".codes", name + ".scale", "", "", name + ".bias"],
        name,
        MICROSOFT,
        K=inner,
        N=out,
        bits=8,
        block_size=BLOCK,
        accuracy_level=4,
    )


def reaches(model: BertModel, inputs: list[ReaderInput]) -> dict[str, np.ndarray]:
    """Run inputs through the encoder and return, for each linear layer, the greatest magnitude of each of its inputs."""
    seen: dict[str, np.ndarray] = {}

    def watch(name: str):
        def hook(_, arguments):
            top = arguments[0].detach().abs().reshape(-1, arguments[0].shape[-1]).max(0).values.numpy()
            seen[name] = np.maximum(seen.get(name, 0), top)

        return hook

    hooks = [module.register_forward_pre_hook(watch(name)) for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    with torch.inference_mode():
        for one in inputs:
            model(input_ids=torch.tensor([one.ids]))
    for hook in hooks:
        hook.remove()
    return seen


def embedding_codes(base, rows: list[int], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Take the 4-bit codes and scales of the chosen rows as they lie in the base: (rows, width) of 0 to 15, (rows, width / 32)."""
    _, count, offset, size = base.tensors["emb.word"]
    blocks = np.frombuffer(base.data, np.uint8, size, offset).reshape(count // width, width // EMBEDDING_BLOCK, 18)[rows]
    scale = blocks[..., :2].copy().view("<f2").astype(np.float32)[..., 0]
    codes = np.concatenate([blocks[..., 2:] & 15, blocks[..., 2:] >> 4], axis=-1)
    return codes.reshape(len(rows), width), scale


def build(state: dict[str, np.ndarray], base: Base, rows: list[int], reach: dict[str, np.ndarray]) -> onnx.ModelProto:
    """Put the encoder together: (input_ids, attention_mask) to last_hidden_state."""
    graph, width, heads = Graph(), base.width, base.heads
    codes, scale = embedding_codes(base, rows, width)
    signed = (codes - 8) & 15  # two's complement, the form that needs no zero points
    packed = (signed[:, 0::2] | (signed[:, 1::2] << 4)).astype(np.uint8)
    words = onnx.TensorProto(name="words", data_type=TensorProto.INT4, dims=(len(rows), width), raw_data=packed.tobytes())
    graph.constants.append(words)
    graph.constant("words.scale", scale)
    graph.add(
        "GatherBlockQuantized",
        ["words", "input_ids", "words.scale"],
        "word",
        MICROSOFT,
        gather_axis=0,
        quantize_axis=1,
        block_size=EMBEDDING_BLOCK,
    )
    graph.constant("positions", state["embeddings.position_embeddings.weight"])
    graph.constant("type", state["embeddings.token_type_embeddings.weight"][0])
    graph.constant("start", np.array([0], np.int64))
    graph.add("Shape", ["input_ids"], "length", start=1, end=2)
    graph.add("Slice", ["positions", "start", "length", "start"], "position.bare")
    graph.add("Add", ["position.bare", "type"], "position")
    graph.add("Add", ["word", "position"], "embedded")
    norm = lambda name: (  # noqa: E731
        graph.constant(name + ".w", state[name + ".weight"]),
        graph.constant(name + ".b", state[name + ".bias"]),
    )
    value = graph.add("LayerNormalization", ["embedded", *norm("embeddings.LayerNorm")], "hidden", axis=-1, epsilon=base.epsilon)
    graph.add("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)

    def linear(name: str, value: str, parts: list[str]) -> str:
        """Add the linear layers of these names, joined side by side."""
        weight, bias = (np.concatenate([state[part + end] for part in parts]) for end in (".weight", ".bias"))
        if name.rsplit(".", 1)[-1] in EXACT:
            return exact_matrix(graph, name, value, weight, bias)
        return matrix(graph, name, value, weight, bias, reach[parts[0]])

    for layer in range(base.layers):
        at = f"encoder.layer.{layer}."
        names = [f"{at}attention.self.{part}" for part in ("query", "key", "value")]
        joined = linear(at + "qkv", value, names)
        graph.constant(at + "parts", np.array([width] * 3, np.int64))
        graph.nodes.append(helper.make_node("Split", [joined, at + "parts"], [at + "q", at + "k", at + "v"], name=at + "split", axis=-1))
        graph.add("MultiHeadAttention", [at + "q", at + "k", at + "v", "", "mask"], at + "attended", MICROSOFT, num_heads=heads)
        out = linear(at + "out", at + "attended", [at + "attention.output.dense"])
        value = graph.add(
            "SkipLayerNormalization", [out, value, *norm(at + "attention.output.LayerNorm")], at + "middle", MICROSOFT, epsilon=base.epsilon
        )
        inner = linear(at + "in", value, [at + "intermediate.dense"])
        graph.add("Gelu", [inner], at + "gelu", MICROSOFT)
        out = linear(at + "down", at + "gelu", [at + "output.dense"])
        last = layer == base.layers - 1
        value = graph.add(
            "SkipLayerNormalization",
            [out, value, *norm(at + "output.LayerNorm")],
            "last_hidden_state" if last else at + "hidden",
            MICROSOFT,
            epsilon=base.epsilon,
        )
    batch = ["batch", "tokens"]
    made = helper.make_graph(
        graph.nodes,
        "reader",
        [helper.make_tensor_value_info(name, TensorProto.INT64, batch) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*batch, width])],
        graph.constants,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)], ir_version=10)


def sample(data: Path, own: Path, tokenizer: Tokenizer) -> list[ReaderInput]:
    """Draw questions with their passages, of all sources."""
    rows = [row for row in question_rows(data, own) if not is_held_back(row.passage.text)]
    drawn = random.Random(7).sample(rows, SAMPLE)
    encode = lambda text: tokenizer.encode(text.strip(), add_special_tokens=False).ids  # noqa: E731
    return [question_input(encode, row.question, row.passage.heading, row.passage.sentences(), row.history) for row in drawn]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--own", type=Path, default=Path(__file__).parent / "rows")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("rag/model/reader"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    saved = torch.load(options.work / "checkpoint.pt", map_location="cpu", weights_only=True)
    base, rows = open_base(base_file()), json.loads((options.work / "rows.json").read_text())
    model, tokenizer = model_of(base, rows).eval(), tokenizer_of(base, rows)
    learned = {name: value.float() for name, value in saved["mean"].items()}
    model.load_state_dict(
        {name.removeprefix("trunk."): value for name, value in learned.items() if name.startswith("trunk.")}, strict=False
    )
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    onnx.save(build(state, base, rows, reaches(model, sample(options.data, options.own, tokenizer))), options.output / "model.onnx")
    save_file(
        {name.removeprefix("heads."): value.numpy() for name, value in learned.items() if name.startswith("heads.")},
        options.output / "heads.safetensors",
    )
    tokenizer.save(str(options.output / "tokenizer.json"), pretty=False)
    digest = hashlib.sha256(
        b"".join((options.output / name).read_bytes() for name in ("model.onnx", "heads.safetensors", "tokenizer.json"))
    )
    (options.output / "reader.json").write_text(json.dumps({"revision": digest.hexdigest()[:12], "steps": saved["step"]}) + "\n")
    print(f"step {saved['step']}:", {path.name: path.stat().st_size for path in sorted(options.output.iterdir())})


if __name__ == "__main__":
    main()
