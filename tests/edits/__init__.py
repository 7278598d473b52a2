"""Every edit that a check calls verified, judged by a Jacobian of a few lines of its own."""
