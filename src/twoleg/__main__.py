"""Runs the command line as `python -m twoleg`."""

from twoleg.cli import main

if __name__ == "__main__":
    main()
