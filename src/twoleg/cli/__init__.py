"""The command line: `twoleg COMMAND`."""

import atexit
import gc


def main() -> None:
    """Run the command line (the parts are imported only now)."""
    from twoleg.cli.app import app

    # As it ends, Python looks through all that is loaded for rings: more than half a second of a
    # processor that nobody gains by, in every part of a service that stops.
    atexit.register(gc.freeze)
    app()


__all__ = ["main"]
