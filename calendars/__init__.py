"""What a calendar program sees; pure values and bytes."""
