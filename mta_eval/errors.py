"""Every error that mta-eval raises on purpose.

    MtaEvalError
    ├── SpecError       a task, model, option or axis that does not exist or has a wrong value
    ├── LengthError     a prompt that cannot be made, or does not fit the model
    ├── TextError       a file or data set that cannot serve as text
    ├── ModelError      a model that cannot be loaded or cannot do what was asked
    └── StoreError      a run folder that cannot be read, written or continued

Each message is one line for the person at the terminal: what is wrong, where, how to mend it.
The command line prints it and exits with code 2. Anything else that escapes is a bug and shows its traceback.
"""


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
