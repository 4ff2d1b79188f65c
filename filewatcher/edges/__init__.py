"""One file or small package per outside system; they never import each other."""
