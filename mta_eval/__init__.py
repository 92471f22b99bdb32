"""mta-eval: where in a long context does a model find things, and where does it fail?"""

__version__ = "0.1.0"
