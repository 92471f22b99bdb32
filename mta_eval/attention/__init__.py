"""The attention of every model of the family: what it is, and how it is computed."""
