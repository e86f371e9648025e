"""The bridge of a call: who is joined to whom at this moment."""

from twoleg.calls.call_leg import CallLeg
from twoleg.calls.ports import Bridge, MediaPlane


class Joint:
    """Joins two legs of one call at a time."""

    __slots__ = ("_bridge", "_plane")

    def __init__(self, plane: MediaPlane) -> None:
        self._plane = plane
        self._bridge: Bridge | None = None

    def join(self, agent: CallLeg, contact: CallLeg) -> None:
        """Let the two hear each other from now on, and nobody else."""
        self.part()
        self._bridge = self._plane.bridge(agent.media.port, contact.media.port)

    def part(self) -> None:
        """Let nobody hear anybody. Idempotent."""
        bridge, self._bridge = self._bridge, None
        if bridge is not None:
            bridge.close()
