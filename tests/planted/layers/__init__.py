"""One file per library: which of its layers are cases, and how users build them."""
