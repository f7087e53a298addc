"""The engine, pooling, passports and files of vectors."""
