"""Other people's protocols over the same runs: a folder for each, with its schemas, translation and views."""
