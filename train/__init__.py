"""Makes what is kept in `rag/model` from public data: weights, tokenizer, tables. Runs from a checkout; no part of the wheel."""
