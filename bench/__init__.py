"""How fast the site streams, as ratios to a plain tutorial server measured in the same run: `python -m bench`."""
