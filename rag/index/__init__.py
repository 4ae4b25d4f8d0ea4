"""Documents on disk and in memory: vectors, BM25, generations."""
