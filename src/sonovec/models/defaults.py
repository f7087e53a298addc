"""What an encoder is when nobody says which."""

#: The name of the model, and the name that stands for it.
DEFAULT, ALIAS = "sonovec-1", "default"
#: What it was before. Libraries that were made with it keep it.
FORMER_DEFAULTS = ("logmel",)
