"""The night as Dagster draws it: one asset per stage, wired in a few lines each, no logic.

Read in this order: `landing` (what came), `register` (standardised, matched, register), `outbound`
(extract, delivery, disclosure), `close` (the letter). Belongs here: keys, order, what a steward reads beside
each asset. Does not belong here: what a stage does (`steps`), or opening the hub (`resources`).
"""
