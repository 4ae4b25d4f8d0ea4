"""Texts and their forms: what is compared, how long a text is in tokens, where it may be cut, the quantities and names in it."""
