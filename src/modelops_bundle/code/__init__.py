"""What a project's code says, read without being run."""
