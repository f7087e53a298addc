"""Fine-tuning: an encoder's own weights, trained on with labelled sounds."""
