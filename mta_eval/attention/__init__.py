"""The attention family: one file for each variant, its decoder, and the exact paths that compute it."""
