"""A flow watched while it trains: looks at the batch at hand, and who hears of them."""
