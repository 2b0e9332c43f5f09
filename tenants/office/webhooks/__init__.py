"""How a webhook leaves the house: its body, its signature, its schedule, its way (partner-api B3).

Nothing here reads or writes a row; `tenants.office.services` does.
"""
