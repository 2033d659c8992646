"""What the user chose, from where, and where our own files live."""
