"""How well encoders serve a user's own sounds: measures, a comparison, and a picture of it."""
