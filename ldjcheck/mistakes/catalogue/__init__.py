"""What an entry of the catalogue is made of: its rule, its page, its words."""
