"""Ways out into other projects."""
