"""Where jobs live; each file is one adapter of the JobBackend port, reached through wiring."""
