"""Prove a deployment step by step, on real AWS as on the local one: `make demo` and `make acceptance` share it."""
