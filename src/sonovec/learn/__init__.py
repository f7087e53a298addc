"""Learn from sounds of one's own: labels, detectors, active learning, fine-tuning."""
