"""Organizations and the people in them."""
