"""The command line: `twoleg COMMAND`."""

import gc


def main() -> None:
    """Run the command line (the parts are imported only now)."""
    from twoleg.cli.app import app

    try:
        app()
    finally:
        # As it ends, Python looks through all that is loaded for rings: more than half a second
        # of a processor that nobody gains by, and every part of a service that stops takes it.
        gc.freeze()


__all__ = ["main"]
