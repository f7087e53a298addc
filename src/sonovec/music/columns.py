"""Names of the columns that the analysers of music fill; what recommends and orders reads them here."""

#: Beats a minute, and how sure that is, in [0, 1]: the share of such answers that is right.
TEMPO, TEMPO_CONFIDENCE = "tempo", "tempo_confidence"
#: Other readings of the tempo, the likeliest first, as a list of texts "BPM:probability".
TEMPO_ALTERNATIVES = "tempo_alternatives"
#: "second:BPM" of each change, separated by spaces, where the tempo moves.
TEMPO_CURVE = "tempo_curve"
#: Seconds with two decimals, separated by spaces.
BEATS, DOWNBEATS = "beats", "downbeats"
#: Onsets a second.
ONSET_DENSITY = "onset_density"
#: As "C major" or "F# minor"; how sure that is, in [0, 1]; the Camelot code; A4 in Hz; twelve numbers from C on.
KEY, KEY_CONFIDENCE, CAMELOT, TUNING, CHROMA = "key", "key_confidence", "camelot", "tuning", "chroma"
#: In dB; the others in [0, 1].
DYNAMIC_RANGE, ENERGY, BRIGHTNESS, PERCUSSIVENESS = "dynamic_range", "energy", "brightness", "percussiveness"
#: Seconds in which sound starts and ends (silence before and behind), and of fades at both ends (0 for none).
SOUND_START, SOUND_END, FADE_IN, FADE_OUT = "sound_start", "sound_end", "fade_in", "fade_out"
#: In [0, 1], and the names of moods that are heard, the strongest first.
VALENCE, AROUSAL, MOODS = "valence", "arousal", "moods"
#: What the tags of the file itself say; ours never replaces it.
FILE_TEMPO, FILE_KEY = "file_tempo", "file_key"
