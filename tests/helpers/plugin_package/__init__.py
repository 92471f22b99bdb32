"""A package of somebody else: what it adds to mta-eval it names by entry points, as the fixture `plugin` does."""
