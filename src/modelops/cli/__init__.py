"""The three consoles. A command's path is its file's path; `_tree.py` is the list of them all."""
