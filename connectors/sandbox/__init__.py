"""The town in a box: synthetic people and every counterparty of the hub as a real server on loopback.

Belongs here: counterparties to rehearse against. Does not belong here: anything a night against real
counterparties needs; no connector is imported, so that none can share its mistakes with its examiner.
"""
