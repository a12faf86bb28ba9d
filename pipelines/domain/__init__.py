"""The register's own rules, pure: frames in, frames out.

Belongs here: what a Finnish name, address, identifier, match, golden value or extract *is*.
Does not belong here: I/O, SQL, a clock, the environment, or any framework but pandas.
"""
