"""Pre-training: wav2vec 2.0 learns from sound alone, by telling what was masked from other moments of the same sound."""
