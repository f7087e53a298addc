"""What pytest leaves out here: the site's own modules, which need Sphinx, and scripts that tests run as programs."""

collect_ignore_glob = ["conf.py", "_extensions/*", "tutorials/*.py", "*.py"]
