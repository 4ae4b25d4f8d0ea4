"""Writes the trained reader for onnxruntime: `python -m train.reader_onnx --work WORK --output rag/model/reader`.

The graph is put together here, node by node, with the fused operators of onnxruntime: word embeddings stay in the 4 bits that they came in
(blocks of 32, without loss), the matrices of the layers become 8 bits with a scale for each block of 64 weights, and activations are quantised
row by row as they come, so that one odd value spoils no other row. Heads are a few small matrices in `heads.safetensors`, float32.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from train.reader_base import base_file, open_base, tokenizer_of

BLOCK = 64
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


def quantize(weight: np.ndarray, bits: int, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Round a matrix (rows, columns) to unsigned codes with the middle for zero: codes (rows, columns) uint8 and scales (rows, blocks)."""
    rows, columns = weight.shape
    parts = weight.reshape(rows, columns // block, block)
    middle = 2 ** (bits - 1)
    top = np.abs(parts).max(-1, keepdims=True)
    scale = np.where(top > 0, top / (middle - 1), 1.0).astype(np.float32)
    codes = np.clip(np.rint(parts / scale) + middle, 0, 2**bits - 1).astype(np.uint8)
    return codes.reshape(rows, columns), scale[..., 0]


def matrix(graph: Graph, name: str, value: str, weight: np.ndarray, bias: np.ndarray) -> str:
    """Multiply by an 8-bit matrix (out, in) and add its bias."""
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


def embedding_codes(base, rows: list[int], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Take the 4-bit codes and scales of the chosen rows as they lie in the base: (rows, width) of 0 to 15, (rows, width / 32)."""
    _, count, offset, size = base.tensors["emb.word"]
    blocks = np.frombuffer(base.data, np.uint8, size, offset).reshape(count // width, width // EMBEDDING_BLOCK, 18)[rows]
    scale = blocks[..., :2].copy().view("<f2").astype(np.float32)[..., 0]
    codes = np.concatenate([blocks[..., 2:] & 15, blocks[..., 2:] >> 4], axis=-1)
    return codes.reshape(len(rows), width), scale


def build(state: dict[str, np.ndarray], base, rows: list[int]) -> onnx.ModelProto:
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
    for layer in range(base.layers):
        at = f"encoder.layer.{layer}."
        names = [f"{at}attention.self.{part}" for part in ("query", "key", "value")]
        joined = matrix(
            graph,
            at + "qkv",
            value,
            np.concatenate([state[n + ".weight"] for n in names]),
            np.concatenate([state[n + ".bias"] for n in names]),
        )
        graph.constant(at + "parts", np.array([width] * 3, np.int64))
        graph.nodes.append(helper.make_node("Split", [joined, at + "parts"], [at + "q", at + "k", at + "v"], name=at + "split", axis=-1))
        graph.add("MultiHeadAttention", [at + "q", at + "k", at + "v", "", "mask"], at + "attended", MICROSOFT, num_heads=heads)
        out = matrix(
            graph, at + "out", at + "attended", state[at + "attention.output.dense.weight"], state[at + "attention.output.dense.bias"]
        )
        value = graph.add(
            "SkipLayerNormalization", [out, value, *norm(at + "attention.output.LayerNorm")], at + "middle", MICROSOFT, epsilon=base.epsilon
        )
        inner = matrix(graph, at + "in", value, state[at + "intermediate.dense.weight"], state[at + "intermediate.dense.bias"])
        graph.add("Gelu", [inner], at + "gelu", MICROSOFT)
        out = matrix(graph, at + "down", at + "gelu", state[at + "output.dense.weight"], state[at + "output.dense.bias"])
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    saved = torch.load(options.work / "checkpoint.pt", map_location="cpu", weights_only=True)
    base, rows = open_base(base_file()), json.loads((options.work / "rows.json").read_text())
    from train.reader_base import model_of

    state = {name: value.numpy() for name, value in model_of(base, rows).state_dict().items()}
    learned = saved["mean"] | {}
    state |= {name.removeprefix("trunk."): value.float().numpy() for name, value in learned.items() if name.startswith("trunk.")}
    onnx.save(build(state, base, rows), options.output / "model.onnx")
    heads = {name.removeprefix("heads."): value.float().numpy() for name, value in learned.items() if name.startswith("heads.")}
    save_file(heads, options.output / "heads.safetensors")
    tokenizer_of(base, rows).save(str(options.output / "tokenizer.json"), pretty=False)
    digests = {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(options.output.glob("*"))
        if p.suffix in (".onnx", ".safetensors") or p.name == "tokenizer.json"
    }
    print(json.dumps({"step": saved["step"], "bytes": {p: (options.output / p).stat().st_size for p in digests}}))


if __name__ == "__main__":
    main()
