"""Scripts for developers. The Makefile has a target for each of them."""
