"""Transformers of Hugging Face, tiny and random: prepared, quantized, in ONNX Runtime as in the simulation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.quantizer import PostTrainingQuantizer
from tests.quantizer.models import snr

onnxruntime: Any = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
transformers: Any = pytest.importorskip("transformers")

IDS = torch.randint(5, 90, (2, 7), generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
PIXELS = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
TEXT: dict[str, Tensor] = {"input_ids": IDS, "attention_mask": MASK}


def built(model: str, config: str, attention: str, **sizes: Any) -> nn.Module:
    """A model with random weights; skips where this installation cannot import or run it so."""
    torch.manual_seed(0)
    try:
        made = getattr(transformers, config)(attn_implementation=attention, **sizes)
        return getattr(transformers, model)(made).eval()  # type: ignore[no-any-return]
    except (ImportError, RuntimeError, ValueError) as error:
        pytest.skip(f"{model} with {attention}: {error}")


def bert(attention: str) -> nn.Module:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    return built("BertModel", "BertConfig", attention, vocab_size=99, **sizes)


def distilbert(attention: str) -> nn.Module:
    sizes = {"vocab_size": 99, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    return built("DistilBertModel", "DistilBertConfig", attention, **sizes)


def gpt2(attention: str) -> nn.Module:
    sizes = {"vocab_size": 99, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 32, "use_cache": False}
    return built("GPT2LMHeadModel", "GPT2Config", attention, **sizes)


def t5(attention: str) -> nn.Module:
    sizes = {"vocab_size": 99, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    rest = {"use_cache": False, "decoder_start_token_id": 0}
    return built("T5ForConditionalGeneration", "T5Config", attention, **sizes, **rest)


def swin(attention: str) -> nn.Module:
    sizes = {"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4]}
    return built("Swinv2Model", "Swinv2Config", attention, window_size=4, **sizes)


def vit(attention: str) -> nn.Module:
    sizes = {"image_size": 32, "patch_size": 8, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    return built("ViTModel", "ViTConfig", attention, intermediate_size=64, **sizes)


MODELS: dict[str, tuple[Callable[[str], nn.Module], dict[str, Tensor]]] = {
    "bert": (bert, TEXT),
    "distilbert": (distilbert, TEXT),
    "gpt2": (gpt2, TEXT),
    "t5": (t5, {**TEXT, "decoder_input_ids": IDS[:, :5]}),
    "swin": (swin, {"pixel_values": PIXELS}),
    "vit": (vit, {"pixel_values": PIXELS}),
}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", MODELS)
def test_prepared_quantized_and_exported(name: str, attention: str, tmp_path: Path) -> None:
    make, given = MODELS[name]
    model = make(attention)
    quantizer = PostTrainingQuantizer(model)
    quantizer.prepare_model(allow_unprepared=True, **given)
    quantizer.check_onnx()
    quantizer.calibrate([given])
    report = quantizer.export_onnx(tmp_path / "model.onnx")
    assert not report.islands
    more = {key: torch.cat([each, each[:1]]) for key, each in given.items()}
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    found = torch.from_numpy(session.run(None, {key: each.numpy() for key, each in more.items()})[0])
    with torch.no_grad():
        simulated, expected = quantizer.convert()(**more)[0], model(**more)[0]
    assert snr(simulated, found) > 30
    assert snr(expected, simulated) > 12


def test_integers() -> None:
    for attention in ("eager", "sdpa"):
        model = vit(attention)
        quantizer = PostTrainingQuantizer(model)
        quantizer.prepare_model(allow_unprepared=True, pixel_values=PIXELS)
        quantizer.calibrate([{"pixel_values": PIXELS}])
        found = quantizer.to_integer()(pixel_values=PIXELS)[0]
        assert snr(quantizer.convert()(pixel_values=PIXELS)[0], found) > 25
