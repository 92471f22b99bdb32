"""Languages that needles and generated prose can speak: one file for each, found through `table.py`."""
