"""`twoleg demo`: real calls between simulated phones, with nothing to configure."""

from twoleg.cli.demo.commands import demo

__all__ = ["demo"]
