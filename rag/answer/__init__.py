"""Sentences to a cited answer or a refusal, and the check that every answer passes."""
