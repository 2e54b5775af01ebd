"""Training of networks on image data: data, models, methods, a loop that can be interrupted, and its results."""
