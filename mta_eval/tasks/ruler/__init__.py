"""RULER (Hsieh et al. 2024, arXiv 2404.06654): tracing, aggregation, needles and questions, and chains in prose.

`templates` has the published wording, `lists` makes samples whose context is a list of items.
"""
