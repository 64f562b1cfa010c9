"""What a network does inside: its parts recorded, read, and changed, on the module as it is."""
