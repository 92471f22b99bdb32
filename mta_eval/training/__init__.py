"""Training: rows of tokens, the loop, and a folder that survives being stopped."""
