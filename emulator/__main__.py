"""`python -m emulator` is the same as `ptxemu`."""

from emulator.commands import main

if __name__ == "__main__":
    main()
