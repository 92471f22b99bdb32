"""The tasks room: makes samples and scores answers. Knows no model; a model only lends its tokenizer."""
