"""`twoleg doctor`: what is wrong with this installation, and how to mend it."""

from twoleg.cli.doctor.command import doctor

__all__ = ["doctor"]
