"""Additions to moto. Only the ``install`` functions of these modules replace moto's functions."""
