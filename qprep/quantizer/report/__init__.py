"""Reports of a quantized model as text, HTML and charts."""
