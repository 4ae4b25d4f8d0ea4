"""The built-in encoder: weights, tokenizer, tables, model card and the script that makes them (`python -m rag.model.train`)."""
