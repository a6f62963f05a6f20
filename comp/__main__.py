"""`python -m comp`: the same as the command `comp`."""

from comp.cli.main import main

if __name__ == "__main__":
    main()
