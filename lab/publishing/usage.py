"""The part of the model card that a reader copies: load the model, ask it in the form that it was taught."""

from __future__ import annotations

from dataclasses import dataclass

from lab.publishing.base import Base
from lab.publishing.head import Head


@dataclass(frozen=True)
class Prompt:
    """How a question is put: the template's name and its text with `{question}`, none for a chat template."""

    template: str
    text: str = ""


def usage(
    repository: str, base: Base, prompt: Prompt | None, *, adapter: bool, head: Head | None = None, length: int = 512
) -> str:
    """Instructions and a block of Python for this repository; `length`: the longest text in tokens."""
    auto = f"AutoModelFor{head.suffix if head else 'CausalLM'}"
    told = _arguments(head) if head is not None and adapter else []
    loading = _adapter(repository, base, auto, told) if adapter else _model(repository, auto)
    asking = _asking(prompt) if head is None else ["import torch", "", *_reading(head, prompt, length)]
    code = "\n".join([*loading, "", *asking])
    return f"{_needed(base, adapter)}```python\n{code}\n```"


def _arguments(head: Head) -> list[str]:
    """What an adapter's base must be loaded with, so that the head fits."""
    found = [f"num_labels={head.settings()['num_labels']}"] if head.settings() else []
    return found + ([f"id2label={_text(dict(enumerate(head.labels)))}"] if head.named else [])


def _text(value: object) -> str:
    """A value as Python, without the sign that ends a block of Markdown."""
    return repr(value).replace("`", "\\x60")


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


def _adapter(repository: str, base: Base, auto: str, told: list[str]) -> list[str]:
    more = "".join(f", {argument}" for argument in told)
    if base.reference is not None:
        return [
            f"from peft import {auto.replace('AutoModel', 'AutoPeftModel')}",
            "from transformers import AutoTokenizer",
            "",
            f'model = {auto.replace("AutoModel", "AutoPeftModel")}.from_pretrained("{repository}"{more})',
            f'tokenizer = AutoTokenizer.from_pretrained("{repository}")',
        ]
    return [
        "from peft import PeftModel",
        f"from transformers import {auto}, AutoTokenizer",
        "",
        f'base = {auto}.from_pretrained("FOLDER OF THE BASE MODEL"{more})',
        f'model = PeftModel.from_pretrained(base, "{repository}")',
        f'tokenizer = AutoTokenizer.from_pretrained("{repository}")',
    ]


def _model(repository: str, auto: str) -> list[str]:
    return [
        f"from transformers import {auto}, AutoTokenizer",
        "",
        f'model = {auto}.from_pretrained("{repository}")',
        f'tokenizer = AutoTokenizer.from_pretrained("{repository}")',
    ]


def _reading(head: Head, prompt: Prompt | None, length: int) -> list[str]:
    """The lines that give one text to a model with a head and print what it says."""
    if head.task == "extractive-qa":
        return [
            f'inputs = tokenizer("Your question", "Your passage", truncation="only_second", max_length={length},',
            '                   return_tensors="pt")',
            "with torch.no_grad():",
            "    said = model(**inputs)",
            "first, last = int(said.start_logits.argmax()), int(said.end_logits.argmax())",
            'print(tokenizer.decode(inputs["input_ids"][0, first : last + 1], skip_special_tokens=True))',
        ]
    if head.task == "token-classification":
        return [
            'words = ["Your", "words", "one", "by", "one"]',
            f"inputs = tokenizer(words, is_split_into_words=True, truncation=True, max_length={length}, "
            'return_tensors="pt")',
            "with torch.no_grad():",
            "    said = model(**inputs).logits[0].argmax(-1).tolist()",
            "places = inputs.word_ids()",
            "for word, text in enumerate(words):",
            "    if word in places:  # the tag of a word is that of its first token",
            "        print(text, model.config.id2label[said[places.index(word)]])",
        ]
    if head.task == "reward":
        asked = _asking(prompt)[:-2]
        if prompt is not None and prompt.template == "chat":
            asked[0] = asked[0].replace("]", ', {"role": "assistant", "content": "An answer"}]')
            asked[2] = asked[2].replace("add_generation_prompt=True, ", "")
        else:
            asked[1] = 'inputs = tokenizer(prompt + "An answer" + tokenizer.eos_token, return_tensors="pt")'
        return [*asked, "with torch.no_grad():", "    print(float(model(**inputs).logits[0, 0]))  # higher is better"]
    return [
        f'inputs = tokenizer("Your text", truncation=True, max_length={length}, return_tensors="pt")',
        "with torch.no_grad():",
        "    shares = model(**inputs).logits[0].softmax(-1)",
        "print(model.config.id2label[int(shares.argmax())], float(shares.max()))",
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
