"""The texts that formats keep beside the sound, under the formats' own names; `sonovec.library.tags` makes fields of them."""
