"""What a demo installation shows of firms: keys, staff, traders, programs, and running challenges."""
