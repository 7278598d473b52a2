"""How else a layer is called: in training, without gradients, with what may be left out."""
