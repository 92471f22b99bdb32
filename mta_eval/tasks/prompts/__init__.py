"""Prompts: filler text, needles at their depths, and lengths that are exact in a model's own tokens."""
