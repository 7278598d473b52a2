"""The classroom: layers with known mistakes, shown, judged, and planted in your own."""
