"""The project package: settings, addresses, processes and the kernel all apps share."""
