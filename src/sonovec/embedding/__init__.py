"""The streaming pipeline, pooling, passports and files of vectors."""
