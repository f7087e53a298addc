"""The texts that formats keep beside the sound, under the formats' own names; `tags.read` makes fields of them."""
