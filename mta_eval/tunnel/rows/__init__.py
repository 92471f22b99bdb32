"""Diagnostic tasks: one file each (or one for near relatives), rows of tokens by seeded generators, no text."""
