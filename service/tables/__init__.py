"""One module per noun: its columns, and the SQL text of its hot statements."""
