"""Writing challenges: programs, purchases, verdicts, jobs, payouts."""
