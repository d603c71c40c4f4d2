"""From slices to predictions: views, lung box, engine, uncertainty, behind the `UNetSegmenter` protocol."""
