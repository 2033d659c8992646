"""Gets simulations run: requests in, outcomes out, whatever carries them."""
