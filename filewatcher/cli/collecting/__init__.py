"""One collection, from the words that ask for it to its results: what the commands and the daemon build alike."""
