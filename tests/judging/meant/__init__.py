"""How layers are meant that disagree as they are read first."""
