"""How Sphinx builds the site, with the extra ``docs``: ``sphinx-build -W --keep-going -b html docs site``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

import sonovec

project = "sonovec"
author = "the authors of sonovec"
copyright = author
version = release = sonovec.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "command_reference",
    "encoder_table",
    "repository_links",
    "schema_list",
]
exclude_patterns = ["_extensions"]
default_role = "py:obj"
# Blocks without a language are drawings and what commands print.
highlight_language = "none"
nitpicky = False
# Quotes and ellipses, but not the dashes of options.
smartquotes_action = "qe"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
myst_links_external_new_tab = True

# The docstrings say what each parameter is; signatures with types would say it twice, at length.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "furo"
html_title = f"sonovec {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
