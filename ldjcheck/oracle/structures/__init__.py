"""What a Jacobian of many dims looks like, and the proof of it by random products.

A structure is proposed by looks, one kind a file, and holds only where products with
random vectors agree with it to rounding.
"""
