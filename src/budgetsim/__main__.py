"""`python -m budgetsim`, the same as `budgetsim`."""

from budgetsim_cli.main import main

if __name__ == "__main__":
    main()
