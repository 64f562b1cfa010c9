"""Raw tables: rows of a data frame as they are, with categories and gaps; motifs are conditions on a column."""
