"""A library as a space to look at: maps, clusters, outliers, smaller vectors, comparisons of spaces."""
