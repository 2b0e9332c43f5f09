"""What a demo shows of firms: keys, staff, traders, programs, running challenges."""
