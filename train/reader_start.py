"""Takes a written reader back to weights that training can begin with: `python -m train.reader_start --reader rag/model/reader --work WORK`.

WORK then holds its vocabulary and `start.pt`, for `python -m train.reader --weights WORK/start.pt`. What 8 bits rounded away stays away (1% of
a matrix), and the optimiser begins anew, so a checkpoint is better where there is one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.numpy import load_file

from train.reader_base import SPECIAL, Base, base_file, open_base, special_rows


def vocabulary_rows(base: Base, pieces: list[str]) -> list[int]:
    """Find the rows of the base that the pieces of a reader's vocabulary came from; the special tokens stand first."""
    numbers: dict[str, int] = {}
    for number, (piece, _) in enumerate(base.pieces):
        numbers.setdefault(piece, number)
    return special_rows(base) + [numbers[piece] for piece in pieces[len(SPECIAL) :]]


def weights(graph: onnx.GraphProto, layers: int) -> dict[str, np.ndarray]:
    """Read the matrices, biases and norms of the encoder's layers, float32, by the names of a BertModel."""
    constants = {constant.name: constant for constant in graph.initializer}
    value = lambda name: numpy_helper.to_array(constants[name]).astype(np.float32)  # noqa: E731
    found: dict[str, np.ndarray] = {}
    for layer in range(layers):
        at = f"encoder.layer.{layer}."
        parts = {
            "qkv": [f"{at}attention.self.{part}" for part in ("query", "key", "value")],
            "out": [f"{at}attention.output.dense"],
            "in": [f"{at}intermediate.dense"],
            "down": [f"{at}output.dense"],
        }
        for name, joined in parts.items():
            matrix = (value(f"{at}{name}.codes") * value(f"{at}{name}.scale")).T * value(f"{at}{name}.inverse")
            for part, weight, bias in zip(
                joined, np.split(matrix, len(joined)), np.split(value(f"{at}{name}.bias"), len(joined)), strict=True
            ):
                found |= {f"{part}.weight": weight, f"{part}.bias": bias}
        for norm in (f"{at}attention.output.LayerNorm", f"{at}output.LayerNorm"):
            found |= {f"{norm}.weight": value(f"{norm}.w"), f"{norm}.bias": value(f"{norm}.b")}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", type=Path, default=Path("rag/model/reader"))
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    base, tokenizer = open_base(base_file()), (options.reader / "tokenizer.json").read_text(encoding="utf-8")
    rows = vocabulary_rows(base, [piece for piece, _ in json.loads(tokenizer)["model"]["vocab"]])
    (options.work / "rows.json").write_text(json.dumps(rows))
    (options.work / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    trunk = weights(onnx.load(options.reader / "model.onnx").graph, base.layers)
    state = {"trunk." + name: torch.tensor(value) for name, value in trunk.items()}
    state |= {"heads." + name: torch.tensor(value) for name, value in load_file(options.reader / "heads.safetensors").items()}
    torch.save(state, options.work / "start.pt")
    print(f"{len(state)} tensors")


if __name__ == "__main__":
    main()
