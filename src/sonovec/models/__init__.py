"""What is computed: model cards, the registry, weights, and one file for each family."""
