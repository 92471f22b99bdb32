"""Every error that mta-eval raises on purpose.

    MtaEvalError
    ├── SpecError       a task, model, option or axis that does not exist or has a wrong value
    ├── LengthError     a prompt that cannot be made, or does not fit the model
    ├── TextError       a file or data set that cannot serve as text
    ├── ModelError      a model that cannot be loaded or cannot do what was asked
    ├── StoreError      a run folder that cannot be read, written or continued
    └── SendError       a tracker or a hub that did not take a run

Each message is one line for the person at the terminal: what is wrong, where, how to mend it.
The command line prints it and exits with code 2. Anything else that escapes is a bug and shows its traceback.
"""

import difflib
from collections.abc import Iterable


class MtaEvalError(Exception):
    """Root of the tree; catch this to catch every mistake that a user can mend."""


class SpecError(MtaEvalError):
    """A task, model, option or axis that does not exist or has a wrong value."""


class LengthError(MtaEvalError):
    """A prompt that cannot be made at this length, or does not fit the model."""


class TextError(MtaEvalError):
    """A file or data set that cannot serve as text."""


class ModelError(MtaEvalError):
    """A model that cannot be loaded or cannot do what was asked."""


class StoreError(MtaEvalError):
    """A run folder that cannot be read, written or continued."""


class SendError(MtaEvalError):
    """A tracker or a hub that did not take a run."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error line: the nearest known word, or all of them if they are few."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there is: {', '.join(known)}" if len(known) <= 20 else ""
