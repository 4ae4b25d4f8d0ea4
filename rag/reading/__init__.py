"""A file to a document: readers of formats, repairs, and the child process in which all of it runs."""
