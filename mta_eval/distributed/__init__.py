"""A run on a Ray cluster: replicas of the models answer a plan's samples, and the records form one run.

cluster.py      starts or joins a cluster, and computes how many replicas fit on it
pool.py         the replica pool: assigns groups of samples to replicas and replaces those that die
slot.py         a replica slot: resources reserved on the cluster, and the replica that uses them
work_queue.py   the groups that are still to be answered, and the records in the order of the run
replica.py      the worker process: it answers through `runner.answer`, as a run in one process does
"""
