"""One check from end to end: how a layer is called, all stages in turn, flows, a search."""
