"""The part of the model card that a reader copies: load the model, ask it in the form that it was taught."""

from __future__ import annotations

from dataclasses import dataclass

from lab.publishing.base import Base


@dataclass(frozen=True)
class Prompt:
    """How a question is put: the template's name and its text with `{question}`, none for a chat template."""

    template: str
    text: str = ""


def usage(repository: str, base: Base, prompt: Prompt | None, *, adapter: bool) -> str:
    """Instructions and a block of Python for this repository."""
    loading = _adapter(repository, base) if adapter else _model(repository)
    code = "\n".join([*loading, "", *_asking(prompt)])
    return f"{_needed(base, adapter)}```python\n{code}\n```"


def _needed(base: Base, adapter: bool) -> str:
    if not adapter or base.kind == "hub":
        return ""
    if base.kind == "demo":
        return (
            f"The base is the small demo model of the Fine-Tuning Lab, in its folder `{base.reference}`. "
            "Run this in the folder of the lab.\n\n"
        )
    return (
        f"The base, `{base.name}`, was a folder on the machine of the training; no name on the Hub is "
        "known for it. You need the same weights; put their folder where the code says so.\n\n"
    )


def _adapter(repository: str, base: Base) -> list[str]:
    if base.reference is not None:
        return [
            "from peft import AutoPeftModelForCausalLM",
            "from transformers import AutoTokenizer",
            "",
            f'model = AutoPeftModelForCausalLM.from_pretrained("{repository}")',
            f'tokenizer = AutoTokenizer.from_pretrained("{repository}")',
        ]
    return [
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        'base = AutoModelForCausalLM.from_pretrained("FOLDER OF THE BASE MODEL")',
        f'model = PeftModel.from_pretrained(base, "{repository}")',
        f'tokenizer = AutoTokenizer.from_pretrained("{repository}")',
    ]


def _model(repository: str) -> list[str]:
    return [
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f'model = AutoModelForCausalLM.from_pretrained("{repository}")',
        f'tokenizer = AutoTokenizer.from_pretrained("{repository}")',
    ]


def _asking(prompt: Prompt | None) -> list[str]:
    if prompt is not None and prompt.template == "chat":
        asking = [
            'messages = [{"role": "user", "content": "Your question"}]',
            "inputs = tokenizer.apply_chat_template(",
            '    messages, add_generation_prompt=True, return_tensors="pt", return_dict=True',
            ")",
        ]
    else:
        text = prompt.text if prompt is not None and prompt.text else "{question}"
        asking = [
            f'prompt = {text!r}.replace("{{question}}", "Your question")',
            'inputs = tokenizer(prompt, return_tensors="pt")',
        ]
    return [
        *asking,
        "output = model.generate(**inputs, max_new_tokens=100, do_sample=False)",
        'print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))',
    ]
