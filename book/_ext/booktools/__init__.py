"""Tools that run outside of a build: ``python -m booktools COMMAND``, where _config.yml is."""
