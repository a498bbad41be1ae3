"""A small shop whose pages can be watched, and which publishes a flash sale. Its prices are changed by one call.

No request leaves the machine. README.md describes the pages and the calls for tests.
"""
