"""Many machines: a plan's samples go to replicas of its models on a Ray cluster, and come back as one run.

cluster.py   a cluster started or joined, and what fits it
crew.py      who is asked what, and what becomes of the dead;  post.py: one replica and its place
desk.py      groups to ask, records that are due
replica.py   what a worker does: it answers by `runner.answer`, as the one-process run
"""
