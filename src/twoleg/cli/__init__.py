"""The command line: `twoleg COMMAND`."""


def main() -> None:
    """Run the command line (the parts are imported only now)."""
    from twoleg.cli.app import app

    app()


__all__ = ["main"]
