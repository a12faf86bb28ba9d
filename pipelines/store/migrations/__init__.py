"""The schema's history, for Alembic: `versions/NNNN_what.py`, applied in the order of their numbers.

Belongs here: the steps from one schema to the next, each frozen once released (it imports nothing of
ours). Does not belong here: the schema as it is (`tables`). A migration never rebuilds an append-only
table: SQLite's batch mode would drop its triggers without a word.

A new one: change `tables`, then `alembic -x url=sqlite:///scratch.db upgrade head`,
`alembic -x url=sqlite:///scratch.db revision --autogenerate --rev-id NNNN -m "what"`, and raise
`tables.REVISION`.
"""
