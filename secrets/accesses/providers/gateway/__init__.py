"""What is read through the console itself, and the built-in store."""
