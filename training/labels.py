"""Kinds of sound, by words in the names of the recordings: what held-out recordings are told apart by."""

from __future__ import annotations

import re

#: A kind and the words that name it; the first kind that fits is taken.
KINDS = {
    "baby": "baby donateacry",
    "dog": "dog bark dogbark dachshund puppy growl",
    "cat": "cat meow kitten purr",
    "bird": "bird birds crow owl robin chirp parrot seagull",
    "farm animal": "cow moo pig goat sheep horse chicken rooster duck hen",
    "insect": "insect cricket crickets bee bees fly mosquito cicada",
    "rain": "rain drizzle rainfall",
    "thunder": "thunder storm lightning",
    "wind": "wind blizzard gust",
    "waves": "waves ocean beach sea surf",
    "water": "water splash drip bubble bubbles bubbling pour stream river drops fountain faucet",
    "fire": "fire fireplace campfire burn burning flame",
    "door": "door doorslam creak hinge",
    "steps": "step steps footstep footsteps walk walking run",
    "glass": "glass bottle",
    "bell": "bell bells gong chime chimes",
    "engine": "engine car motor truck motorcycle tractor",
    "train": "train railroad locomotive",
    "aircraft": "helicopter plane jet airplane propeller",
    "explosion": "explosion explode boom grenade",
    "gun": "gun shot rifle pistol shotgun gunshot",
    "clock": "clock tick ticking alarm",
    "saw": "saw chainsaw drill sawing drilling",
    "typing": "typing keyboard typewriter",
    "clap": "clap clapping applause claps",
    "laugh": "laugh laughing laughter giggle",
    "cough": "cough sneeze sniff coughing",
    "scream": "scream yell shout screaming",
    "whistle": "whistle whistling",
    "drum": "kick snare drum hihat tom cymbal bd sn",
    "guitar": "guitar banjo mandolin",
    "piano": "piano organ harpsichord",
    "bowed": "violin viola cello",
    "woodwind": "flute clarinet oboe bassoon saxophone",
    "brass": "trumpet trombone tuba horn",
    "synthesizer": "synth synthdrone analogsynth",
    "metal": "metal sword anvil chain chains",
    "wood": "wood wooden chop axe",
    "paper": "paper book page",
    "speech": "kathleen arctic picovoice precise",
}
_KIND_OF = {word: kind for kind, words in reversed(KINDS.items()) for word in words.split()}


def kind(path: str) -> str | None:
    """The kind that a path names, or None.

    Examples
    --------
    >>> kind("cdda/dog_bark_2.opus"), kind("freedoom/dstink.opus")
    ('dog', None)
    """
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", path).lower())
    found = [_KIND_OF[word] for word in words if word in _KIND_OF]
    return min(found, key=list(KINDS).index) if found else None
