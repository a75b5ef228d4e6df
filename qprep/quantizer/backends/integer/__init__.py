"""An integer-arithmetic reference of a quantized model: what a runtime computes, written out."""
