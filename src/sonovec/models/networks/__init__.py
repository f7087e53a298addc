"""Networks that are trained here, as modules of PyTorch's; their families import them only when they are needed."""
