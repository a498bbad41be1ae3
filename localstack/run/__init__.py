"""What `up`, `down` and `url` do. Up to the virtual environment only the standard library is used."""
