"""Your account: what a person sees and changes of itself, outside any organization."""
