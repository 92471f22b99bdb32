"""mta-eval: where in a long context does a model find things, and where does it fail?

mta_eval.evaluate(model, tasks, sweep) -> DataFrame      mta_eval.load(run) -> DataFrame      mta_eval.Sweep
mta_eval.register()   transformers' Auto classes open our checkpoints (done already if transformers is imported)
"""

import sys
from typing import TYPE_CHECKING, Any

from mta_eval.core import Sweep
from mta_eval.version import VERSION

if TYPE_CHECKING:
    from mta_eval.attention.registration import register
    from mta_eval.evaluation import evaluate, load

__version__ = VERSION
__all__ = ["Sweep", "__version__", "evaluate", "load", "register"]


def __getattr__(name: str) -> Any:
    """Looked up when it is asked for: importing mta_eval stays quick."""
    if name == "register":
        from mta_eval.attention import registration

        return registration.register
    if name not in __all__:
        raise AttributeError(f"module 'mta_eval' has no attribute {name!r}")
    from mta_eval import evaluation

    return getattr(evaluation, name)


if "transformers" in sys.modules:
    from mta_eval.attention.registration import register as _register

    _register()
