"""bAbI: worlds that tell stories, and files of published ones."""
