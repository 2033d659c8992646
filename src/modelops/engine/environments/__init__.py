"""The environments that simulations run in, and the guest process in each of them."""
