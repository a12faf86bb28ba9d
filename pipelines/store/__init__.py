"""The hub's memory: the only place with SQL besides `linkage`.

Belongs here: tables, migrations, reading and writing them inside a caller's transaction. Does not belong
here: what a row means for a person (`domain`), when anything happens (`steps`).
"""
