"""The stewards' desk: people and decisions in a browser, by the steps that the command line calls (DESIGN 16).

Belongs here: who sits down, forms, pages. Does not belong here: deciding, SQL, Dagster.
"""
