"""The quiz: layers with neutral names, right or wrong, and answers that are run."""
