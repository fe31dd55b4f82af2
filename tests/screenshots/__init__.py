"""Pictures of the main pages for README: `make screenshots`."""
