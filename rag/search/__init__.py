"""A question to passages and to their sentences."""
