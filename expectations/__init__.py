"""The rule book: which standard rows are valid, and how many a feed should bring.

Belongs here: rules, their severity, their wording for stewards, and the one adapter to Great Expectations.
Does not belong here: making a row valid (`pipelines.domain`), or what happens to one that isn't
(`pipelines.steps`).
"""
