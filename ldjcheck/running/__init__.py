"""Running the user's layer, on copies, watched and put back: nothing else calls it."""
