"""The documentation as a site: `make site`, by Sphinx from the pages of docs/."""
