"""Fits the reader's head for intents once more on the finished trunk: `python -m train.reader_intents --data DATA [--output rag/model/reader]`.

Messages are few and most of them want something else than contents, while people mostly ask for contents: every question of the rows joins as one. The
trunk is run once; the head of two layers is fitted in seconds.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import nn
from torch.nn import functional

from rag.search.reader import Reader, message_input
from train.reader_rows import is_held_back, message_rows, question_rows

# Questions that join the messages, epochs, and how much a message counts for each question.
QUESTIONS, EPOCHS, MESSAGE = 4000, 40, 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--own", type=Path, default=Path(__file__).parent / "rows")
    parser.add_argument("--output", type=Path, default=Path("rag/model/reader"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    reader, rows = Reader(options.output), question_rows(options.data, options.own)
    asked = random.Random(2).sample(sorted({(row.question, bool(row.history), is_held_back(row.passage.text)) for row in rows}), QUESTIONS)
    messages = message_rows(options.data)
    texts = [(row.text, row.after_answer) for row in messages] + [(text, after) for text, after, _ in asked]
    truth = torch.tensor([reader.intents.index(row.intent) for row in messages] + [reader.intents.index("content")] * len(asked))
    held = torch.tensor([row.block % 8 == 7 for row in messages] + [kept for *_, kept in asked])
    states = []
    for low in range(0, len(texts), 256):
        states += [hidden[0] for hidden in reader._hidden([message_input(reader._encode, *text) for text in texts[low : low + 256]])]
    first = torch.tensor(np.array(states))
    weights = torch.tensor([MESSAGE] * len(messages) + [1.0] * len(asked))
    width = first.shape[1]
    head = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Dropout(0.2), nn.Linear(width, len(reader.intents)))
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.05)
    mine = torch.nonzero(~held)[:, 0]
    for _ in range(EPOCHS):
        for part in mine[torch.randperm(len(mine))].split(256):
            losses = functional.cross_entropy(head(first[part]), truth[part], reduction="none", label_smoothing=0.05)
            optimizer.zero_grad()
            (losses * weights[part]).mean().backward()
            optimizer.step()
    head.eval()
    with torch.inference_mode():
        guess = head(first[held]).argmax(1)
    right = guess == truth[held]
    content = truth[held] == reader.intents.index("content")
    print(json.dumps({"held back": int(held.sum()), "right": float(right.float().mean()), "other than contents": float(right[~content].float().mean()),
                      "contents": float(right[content].float().mean())}))  # fmt: skip
    path = options.output / "heads.safetensors"
    heads = load_file(path)
    for place, layer in (("0", head[0]), ("2", head[3])):
        heads[f"intent.{place}.weight"] = layer.weight.detach().numpy()
        heads[f"intent.{place}.bias"] = layer.bias.detach().numpy()
    save_file(heads, path)


if __name__ == "__main__":
    main()
