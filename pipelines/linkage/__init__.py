"""Candidate pairs and comparison patterns as set operations, on DuckDB in this process (later Spark).

Belongs here: SQL over a file's or the register's records: reading, normalising, candidate keys, comparison
patterns, and running them one after another. Does not belong here: what a pattern means and what follows
from it (`domain.evidence`, `domain.mixture`, `domain.resolution`), the hub's own tables (`store`).
"""
