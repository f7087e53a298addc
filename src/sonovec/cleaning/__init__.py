"""What is done to sound before it is embedded or transcribed, where it is asked for: voice activity, trimming, denoising."""
