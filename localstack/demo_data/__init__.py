"""The demo data: what it is made of (`goods`), and how it is loaded (`load`, `prices`)."""
