"""Pictures of sounds: what an encoder hears of one, and what it makes of it."""
