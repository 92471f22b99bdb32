"""`mta-eval view`: an index of runs with a leaderboard, and a page for each run, served or written as files.

`shelf` finds runs and makes their pages, `serving` answers a browser on this machine, `bundle` writes the same files.
"""
