"""What a newcomer's machine has instead of clouds and clusters. The product never imports it."""
