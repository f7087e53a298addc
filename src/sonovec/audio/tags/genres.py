"""The numbers that ID3 and MP4 give to genres: 80 of ID3v1, and those that Winamp added."""

from __future__ import annotations

import re

NAMES = """
    Blues; Classic Rock; Country; Dance; Disco; Funk; Grunge; Hip-Hop; Jazz; Metal; New Age; Oldies; Other; Pop;
    R&B; Rap; Reggae; Rock; Techno; Industrial; Alternative; Ska; Death Metal; Pranks; Soundtrack; Euro-Techno;
    Ambient; Trip-Hop; Vocal; Jazz+Funk; Fusion; Trance; Classical; Instrumental; Acid; House; Game; Sound Clip;
    Gospel; Noise; Alt. Rock; Bass; Soul; Punk; Space; Meditative; Instrumental Pop; Instrumental Rock; Ethnic;
    Gothic; Darkwave; Techno-Industrial; Electronic; Pop-Folk; Eurodance; Dream; Southern Rock; Comedy; Cult;
    Gangsta Rap; Top 40; Christian Rap; Pop/Funk; Jungle; Native American; Cabaret; New Wave; Psychedelic; Rave;
    Showtunes; Trailer; Lo-Fi; Tribal; Acid Punk; Acid Jazz; Polka; Retro; Musical; Rock & Roll; Hard Rock; Folk;
    Folk-Rock; National Folk; Swing; Fast-Fusion; Bebop; Latin; Revival; Celtic; Bluegrass; Avantgarde; Gothic Rock;
    Progressive Rock; Psychedelic Rock; Symphonic Rock; Slow Rock; Big Band; Chorus; Easy Listening; Acoustic;
    Humour; Speech; Chanson; Opera; Chamber Music; Sonata; Symphony; Booty Bass; Primus; Porn Groove; Satire; Slow
    Jam; Club; Tango; Samba; Folklore; Ballad; Power Ballad; Rhythmic Soul; Freestyle; Duet; Punk Rock; Drum Solo; A
    Cappella; Euro-House; Dance Hall; Goa; Drum & Bass; Club-House; Hardcore; Terror; Indie; BritPop; Afro-Punk;
    Polsk Punk; Beat; Christian Gangsta Rap; Heavy Metal; Black Metal; Crossover; Contemporary Christian; Christian
    Rock; Merengue; Salsa; Thrash Metal; Anime; JPop; Synthpop; Abstract; Art Rock; Baroque; Bhangra; Big Beat;
    Breakbeat; Chillout; Downtempo; Dub; EBM; Eclectic; Electro; Electroclash; Emo; Experimental; Garage; Global;
    IDM; Illbient; Industro-Goth; Jam Band; Krautrock; Leftfield; Lounge; Math Rock; New Romantic; Nu-Breakz;
    Post-Punk; Post-Rock; Psytrance; Shoegaze; Space Rock; Trop Rock; World Music; Neoclassical; Audiobook; Audio
    Theatre; Neue Deutsche Welle; Podcast; Indie Rock; G-Funk; Dubstep; Garage Rock; Psybient
"""
_NAMES = [" ".join(name.split()) for name in NAMES.split(";")]
_WORDS = {"RX": "Remix", "CR": "Cover"}
_REFERENCE = re.compile(r"\((\d+|RX|CR)\)")


def name(number: int) -> str:
    """Give the name of a genre; nothing for a number that stands for none.

    Examples
    --------
    >>> name(26), name(255)
    ('Ambient', '')
    """
    return _NAMES[number] if 0 <= number < len(_NAMES) else ""


def of_id3(text: str) -> list[str]:
    """Give the names that a genre of ID3 stands for: a number, numbers in parentheses and a name behind them, or a name.

    Examples
    --------
    >>> of_id3("26"), of_id3("(26)(17)Rock and more"), of_id3("Drone"), of_id3("((who)")
    (['Ambient'], ['Ambient', 'Rock', 'Rock and more'], ['Drone'], ['(who)'])
    """
    if text in _WORDS or _is_number(text):
        return [_named(text)]
    found, at = [], 0
    while reference := _REFERENCE.match(text, at):
        found.append(_named(reference[1]))
        at = reference.end()
    rest = text[at:]
    return [*found, rest.removeprefix("(") if rest.startswith("((") else rest]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3


def _named(reference: str) -> str:
    return _WORDS.get(reference) or (name(int(reference)) if _is_number(reference) else "") or reference
