"""What the pages of challenges show, read in the firm's building."""
