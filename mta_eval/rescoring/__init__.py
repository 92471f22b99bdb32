"""Scoring stored answers again: ours and other projects', by the published rules.

sources  files and folders -> what each file is, by its content      readers  a source -> its rows, streamed
scorers  what scores a row: a rule, or the score beside the answer   scoring  rows x rules -> counts, disagreements
tallies  counts by group and depth, one tidy frame                   leaderboard  the models, ranked
tables, pictures, writing  what comes out
"""
