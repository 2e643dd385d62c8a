"""HTTP: one module per noun; a handler makes one call to one use case."""
