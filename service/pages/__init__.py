"""Pages: templates, their texts in two languages, and how they are rendered."""
