"""Where people log: runs sent to the trackers that `--log` names, one file for each tracker.

A logger is a frozen dataclass; its fields are the options of its spec (`wandb:project=long-context`). Other packages
add one through the entry point group `mta_eval.loggers`. Nothing is sent unless a logger was named, keys are read by
the trackers' own packages, and these are imported only then.
"""
