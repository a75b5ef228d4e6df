"""Public functions of torch that have no row, and why; names are patterns as of fnmatch."""

from __future__ import annotations

from typing import Final

EXCEPTIONS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "a loss: computed outside the forward of a model that is quantized",
        (
            "torch.nn.functional.*_loss",
            *(f"torch.nn.functional.{name}" for name in ("*cross_entropy*", "kl_div")),
            *("torch.*_loss", "torch.binary_cross_entropy_with_logits", "torch.kl_div"),
        ),
    ),
    (
        "a compound of several stages: the rules for nn.LSTM, nn.GRU, nn.RNN and nn.MultiheadAttention speak of it",
        (
            "torch.nn.functional.multi_head_attention_forward",
            *(f"torch.{name}" for name in ("lstm", "lstm_cell", "gru", "gru_cell", "rnn_*")),
        ),
    ),
    (
        "the C++ entry behind a function of torch.nn.functional or torch.Tensor that has a row",
        (
            *("torch.batch_norm*", "torch.instance_norm", "torch.native_*", "torch.embedding*", "torch.convolution"),
            *("torch.grid_sampler*", "torch.affine_grid_generator", "torch.*_copy", "torch.norm_except_dim"),
            *("torch.frobenius_norm", "torch.nuclear_norm", "torch.slice_inverse", "Tensor.slice_inverse"),
        ),
    ),
    ("the kernel of one vendor's library", ("torch.cudnn_*", "torch.miopen_*", "torch.mkldnn_*", "torch.fbgemm_*")),
    (
        "works on tensors that are quantized already",
        (
            *(f"{place}.{name}" for place in ("torch", "Tensor") for name in ("q_*", "int_repr", "dequantize")),
            *("torch.quantize*", "torch.fake_quantize_*", "torch.fused_moving_avg_obs_fake_quant", "Tensor.qscheme"),
            *("torch.choose_qparams_optimized", "torch.empty_quantized"),
        ),
    ),
    (
        "works on sparse tensors",
        (
            *("torch.*_indices_copy", "torch.values_copy", "torch.sparse_*", "torch.resize_as_sparse_"),
            *(f"torch.{name}" for name in ("dsmm", "hsmm", "hspmm", "saddmm", "smm", "spmm", "sspaddmm")),
            *(f"Tensor.{name}" for name in ("*_indices", "indices", "values", "coalesce", "is_coalesced", "*_dim")),
            *("Tensor.sparse_*", "Tensor.resize_as_sparse_", "Tensor.to_sparse*", "Tensor.to_dense"),
            *("Tensor.smm", "Tensor.sspaddmm"),
        ),
    ),
    (
        "a special function of numerical analysis: no layer of a neural network computes it",
        (
            *("torch.special.*bessel_*", "torch.special.*_polynomial_*", "torch.special.gammainc*"),
            *(f"torch.special.{name}" for name in ("airy_ai", "i0e", "i1", "i1e", "multigammaln", "polygamma", "zeta")),
            *(f"{place}.{name}" for place in ("torch", "Tensor") for name in ("igamma*", "mvlgamma*", "polygamma*")),
        ),
    ),
    (
        "a decomposition or solver, which stays in floating point",
        (
            *(
                "torch.linalg.*_ex",
                "torch.linalg.ldl_*",
                "torch.linalg.lu*",
                "torch.linalg.eig",
                "torch.linalg.eigvals",
            ),
            *(f"torch.linalg.{name}" for name in ("cond", "householder_product", "lstsq", "matrix_rank", "pinv")),
            *("torch.linalg.tensorinv", "torch.linalg.tensorsolve"),
            *(f"torch.{name}" for name in ("geqrf", "lobpcg", "lu*", "orgqr", "ormqr", "pca_lowrank", "svd_lowrank")),
            *(f"Tensor.{name}" for name in ("geqrf", "lu*", "orgqr", "ormqr")),
            *("torch.triangular_solve", "Tensor.triangular_solve", "torch.polar"),
        ),
    ),
    (
        "statistics of data: no layer computes them",
        (*("torch.hist*", "Tensor.hist*", "torch.gradient", "torch.segment_reduce"),),
    ),
    (
        "storage, scripting and threads: no operation on values",
        (
            *("torch.empty_permuted", "torch.empty_strided", "torch.from*", "torch.kaiser_window", "torch.to_dlpack"),
            *("torch.*autocast*", "torch.*_anomaly_*", "torch.*_num_*threads", "torch.init_num_threads", "torch.sym_*"),
            *(
                "torch.import_ir_module*",
                "torch.parse_*",
                "torch.merge_type_from_type_comment",
                "torch.unify_type_list",
            ),
            *(f"torch.{name}" for name in ("can_cast", "promote_types", "get_default_dtype", "is_grad_enabled")),
            *(f"torch.{name}" for name in ("is_inference_mode_enabled", "is_distributed", "is_vulkan_available")),
            *(f"torch.{name}" for name in ("fork", "wait", "set_flush_denormal")),
            *(
                f"Tensor.{name}"
                for name in ("apply_", "map_", "map2_", "const_data_ptr", "is_distributed", "is_pinned")
            ),
            *(f"Tensor.{name}" for name in ("is_set_to", "is_shared", "module_load")),
            *(f"Tensor.{name}" for name in ("record_stream", "register_post_accumulate_grad_hook")),
            *(f"Tensor.{name}" for name in ("set_", "share_memory_", "storage*", "hash_tensor", "index")),
            *(f"Tensor.{name}" for name in ("resize", "resize_as", "to_mkldnn")),
        ),
    ),
)
