"""Small real tokenizers, trained on a few sentences, that treat the edges of a text as the large ones do."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

SENTENCES = [
    "### Question: What is the capital of France?\n### Answer: Paris is the capital of France.",
    "Below is an instruction that describes a task. Write a response that completes the request.",
    "def add(a, b):\n    return a + b\n\nprint(add(1, 2))",
    "L'été, les élèves naïfs mangent des gâteaux à l'œuf. 数据 🙂",
] * 3
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Takes the reasoning out of every answer but the last, as the template of Qwen3 does.
FORGETFUL = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{{ m['content'] if loop.last else m['content'].split('</think>')[-1] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def gpt2_like(template: str | None = None) -> PreTrainedTokenizerBase:
    """Byte-level BPE without BOS; a blank belongs to the word after it."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return _trained(backend, template, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def llama_like(template: str | None = None) -> PreTrainedTokenizerBase:
    """SentencePiece-style BPE: "▁" before every text, byte fallback, and <s> put before it."""
    backend = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    backend.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")  # no token spans words
    tokenizer = _trained(backend, template, bytes_too=True)
    tokenizer.backend_tokenizer.pre_tokenizer = None  # as in Llama's own file: the merges know
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing("<s> $A", None, [("<s>", 1)])
    return tokenizer


def with_end_added(template: str | None = None) -> PreTrainedTokenizerBase:
    """Byte-level BPE that puts BOS before and EOS behind every text, as `add_eos_token` does."""
    tokenizer = gpt2_like(template)
    edges = processors.TemplateProcessing("<s> $A </s>", None, [("<s>", 1), ("</s>", 2)])
    tokenizer.backend_tokenizer.post_processor = edges
    return tokenizer


def demo() -> PreTrainedTokenizerBase:
    """The tokenizer of the embedded model, which keeps a blank with the word before it."""
    return AutoTokenizer.from_pretrained(Path(__file__).parents[1] / "presets" / "demo" / "model")


ALL = {"gpt2": gpt2_like, "llama": llama_like, "end-added": with_end_added, "demo": demo}


def _trained(
    backend: Tokenizer, template: str | None, *, bytes_too: bool = False, **options: object
) -> PreTrainedTokenizerBase:
    special = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    pieces = [f"<0x{byte:02X}>" for byte in range(256)] if bytes_too else []
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=special + pieces, show_progress=False, **options
    )
    backend.train_from_iterator(SENTENCES, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="<|im_end|>" if template else "</s>",
        unk_token="<unk>",
        additional_special_tokens=["<|im_start|>"] if template else [],
    )
    tokenizer.chat_template = template
    return tokenizer
