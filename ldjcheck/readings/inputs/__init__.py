"""What a layer is fed with, where it is meant for less than all real numbers."""
