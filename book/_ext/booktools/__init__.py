"""What runs outside of a build: ``python -m booktools COMMAND``, in the folder with _config.yml."""
