"""The answering by hand-written rules that the reader is to replace: kept whole while its figures are the better ones, then deleted with its tables."""
