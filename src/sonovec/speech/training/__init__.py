"""Recognisers that are trained here: CTC on top of any encoder of the Transformers, or from random weights."""
