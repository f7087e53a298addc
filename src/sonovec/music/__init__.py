"""What is heard in music: tempo and beats, key, character, where it starts and ends, mood."""
