"""What a calendar program sees: values in, bytes out. No database, no HTTP, no clock."""
