"""The pure heart: books, matching, fees and valuation in scaled integers.

No Django, clock, network or randomness: the same request gives the same result, so every fill can
be replayed from its evidence. Contract: trading-api 7, 8, 9 and 14.
"""
