"""`python -m lungloop` is the same command as `lungloop`."""

from lungloop.cli import main

if __name__ == "__main__":
    main()
