"""Talk to the outside: registers we hear from, recipients we tell.

Belongs here: wire formats, transports, their errors. Does not belong here: anything of the hub's own
(register, contracts, disclosure log); a connector is handed what it needs and knows nothing of us.
"""
