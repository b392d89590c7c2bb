"""Pages under /ui for the people who run promotions."""
