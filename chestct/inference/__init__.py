"""From slices to predictions: views, lung box, engine, uncertainty, behind the `Segmenter` protocol."""
