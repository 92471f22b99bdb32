"""Whole suites: the experiments of a paper asked of any model, part by part, and set beside what the paper reports."""
