"""The command line: `twoleg COMMAND`."""


def main() -> None:
    """Run the command line (the parts are imported only now)."""
    from twoleg.cli.app import run

    run()


__all__ = ["main"]
