"""Views of images that are kept decoded in memory, made batch by batch on the model's device."""
