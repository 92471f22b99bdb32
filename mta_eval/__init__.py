"""mta-eval: where in a long context does a model find things, and where does it fail?"""

from mta_eval.auto import register

__version__ = "0.1.0"

register()
