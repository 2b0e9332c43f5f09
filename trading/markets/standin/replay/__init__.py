"""Replay mode: a recording of the venue is played as if it happened now."""
