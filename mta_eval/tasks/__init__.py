"""The tasks room: everything that makes samples and marks answers. Knows no model; a model only lends its tokenizer."""
