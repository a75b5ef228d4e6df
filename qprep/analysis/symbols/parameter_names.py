"""Names that tell what something is, whatever holds it."""

PARAMETER_NAMES = frozenset(
    [
        "weight",
        "bias",
        "running_mean",
        "running_var",
        "in_proj_weight",
        "in_proj_bias",
        "weight_v",
        "weight_g",
        "bias_k",
        "bias_v",
        "q_proj_weight",
        "k_proj_weight",
        "v_proj_weight",
        "weight_ih",
        "weight_hh",
        "bias_ih",
        "bias_hh",
    ]
)
# Functions that look at what they are given, and neither keep nor change it.
LOOKING = frozenset(("isinstance", "issubclass", "type", "len", "hasattr", "getattr", "id", "repr", "str", "print"))
