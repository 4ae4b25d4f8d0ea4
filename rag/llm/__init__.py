"""A language model's endpoint, and its text turned into cited, checked sentences."""
