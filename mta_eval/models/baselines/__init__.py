"""Models without weights that say how far a task is solved by a simple trick: chance, overlap of words, copying."""
