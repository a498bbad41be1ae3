"""The commands. What runs before the virtual environment exists uses the standard library only."""
