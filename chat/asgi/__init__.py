"""What ASGI servers leave to the application: limits on what clients send and take, few threads, start and shutdown.

Each file is a small ASGI wrapper; chatsite.asgi puts them around the site.
"""
