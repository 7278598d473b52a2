"""What to paste where a layer is judged wrongly: versions, verdict, and a small source."""
