"""Longer windows without training: LongHeads, windows and sinks."""
