"""PDF files: characters, runs, lines, tables, and what is attached to a page."""
