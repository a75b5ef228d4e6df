"""The graph of a prepared model, its passes, and the plan of what is quantized."""
