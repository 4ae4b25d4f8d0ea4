"""Questions with known answers and places, and figures of how well they are answered. Uses public names of `rag` only."""
