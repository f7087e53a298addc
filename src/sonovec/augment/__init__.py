"""What is done to sounds to see whether an encoder still knows them, and to teach it to: one place for all who do it."""
