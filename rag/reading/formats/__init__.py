"""One reader for each kind of file that is no PDF, the encodings of text, and what reads pictures of pages."""
