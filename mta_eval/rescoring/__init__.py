"""Scoring stored answers again: ours and other projects', by the published rules.

sources  files and folders -> what each file is, by its content      readers  a source -> its rows, streamed
scoring  rows x rules -> tallies, disagreements                      tables, pictures, writing -> what comes out
"""
