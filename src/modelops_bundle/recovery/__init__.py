"""What is left behind when a command is interrupted, and how the next one mends it."""
