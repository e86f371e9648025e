"""Whether the audio of a trunk's or a user's legs is encrypted."""

from enum import StrEnum


class MediaEncryption(StrEnum):
    """What is agreed on, or else the leg fails: there is no "if the far end can"."""

    NONE = "none"
    SDES = "sdes"
    """SRTP, whose keys stand in the session descriptions (RFC 4568): they must go over TLS."""
