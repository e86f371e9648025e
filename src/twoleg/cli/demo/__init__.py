"""`twoleg demo`: one real call between two simulated phones, with nothing to configure."""

from twoleg.cli.demo.command import demo

__all__ = ["demo"]
