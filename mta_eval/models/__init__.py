"""The models room: everything that answers a prompt, behind `core.Model`. Knows no task and no score."""
