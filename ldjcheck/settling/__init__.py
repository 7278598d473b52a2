"""How a layer is called and on what: its convention, shape, domain and contexts."""
