"""What the hub does, one verb per file; called by Dagster, the command line and tests alike.

Belongs here: reading from the store, calling the domain, writing back, in one transaction; talking to a
counterparty through the promises of `connectors.base`. Does not belong here: Dagster, SQL, wire formats.
A step returns a `StepResult`: counts and opaque ids, never a person. What Dagster can see is exactly that.
"""
