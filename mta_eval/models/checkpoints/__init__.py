"""Checkpoints made: retrofit, import of released code, training, model cards."""
