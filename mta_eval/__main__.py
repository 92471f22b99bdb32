"""`python -m mta_eval` is `mta-eval`."""

from mta_eval.cli import main

if __name__ == "__main__":
    main()
