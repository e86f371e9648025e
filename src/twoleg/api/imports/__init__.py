"""Imports: send a file, see how far it is, read which rows were refused."""
