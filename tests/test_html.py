from __future__ import annotations

from sonovec.html import Html, element, facts, image, joined, player, table

HOSTILE = "<script>alert('x')</script>\"&"


def test_all_text_is_escaped():
    page = joined(
        [
            element("p", HOSTILE, title=HOSTILE),
            facts({HOSTILE: HOSTILE, "number": 3}),
            table([HOSTILE], [[HOSTILE]]),
            image(b"", HOSTILE, 1, 1),
            player(b"", HOSTILE),
            HOSTILE,
        ]
    )
    assert isinstance(page, Html) and "<script" not in page and "'x'" not in page
    assert page.count("&lt;script&gt;") == 10


def test_html_is_not_escaped_again():
    assert element("b", element("i", "<")) == "<b><i>&lt;</i></b>"


def test_facts_without_a_value_are_left_out():
    told = facts({"notes": "", "title": None, "silent": False, "count": 0})
    assert "notes" not in told and "title" not in told and "False" in told and "count" in told
