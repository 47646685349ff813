"""Where things are: sites, lookups, outlines, and the rows placed in them."""
