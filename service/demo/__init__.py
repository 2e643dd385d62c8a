"""The alliance's data, and the demo that plays the whole chain."""
