"""The wind tunnel: attention variants trained side by side on diagnostic tasks, and what each of them can do."""
