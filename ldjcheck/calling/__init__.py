"""How any call is made and read: signatures, arguments, ways, results."""
