"""From explanations and observations to findings."""
