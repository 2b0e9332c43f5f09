"""Reading programs, purchases, challenges, payouts."""
