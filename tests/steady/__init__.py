"""Right flows pass and wrong ones fail, however they are drawn: many builds of each."""
