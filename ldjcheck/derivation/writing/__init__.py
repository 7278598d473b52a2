"""Terms as source: in whose names, on which line, and the edit that puts them there."""
