"""The layers of the zoo, a family a file, written as students write them.

A wrong layer inherits from its sound twin and writes anew what it gets wrong.
"""
