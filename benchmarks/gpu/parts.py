"""What each part of the GPU benchmark runs: jobs with the exact settings of every arm.

Jobs of one `group` train the same examples an update with the same rank; its `reference` is the lab, and ratios are
taken inside a group and a round.
"""

from __future__ import annotations

from typing import Any

Job = dict[str, Any]
GROUPED = {"train_sampling_strategy": "group_by_length"}
# Document 001: NF4 with double quantization, paged AdamW in 32 bits, examples of like length together, no packing.
DOCUMENT = {"optim": "paged_adamw_32bit", **GROUPED}
OFF = {"padding_free": "off", "label_loss": False, "fused_lora": False, "activation_swap": False,
       "fused_kernels": False, "async_input": False}  # fmt: skip
STAGES: tuple[tuple[str, dict[str, Any]], ...] = (  # one change at a time, each with those above
    ("varlen", {"padding_free": "on"}),
    ("fused LoRA", {"fused_lora": True}),
    ("kernels", {"activation_swap": True, "fused_kernels": True}),
    ("input", {"async_input": True, "label_loss": True}),
    ("compile", {"compile": True}),
)
NF4 = {"method.name": "qlora", "model.quantization": "nf4"}


def lab(batch: int, group: str, name: str = "the lab", **more: Any) -> Job:
    """The lab as it comes, the reference of its group."""
    return {"arm": "ours", "name": name, "batch": batch, "group": group, "reference": name == "the lab", **more}


def micro(size: int, batch: int) -> dict[str, int]:
    """The Trainer's fields for an update of `batch` examples in passes of `size`."""
    return {"per_device_train_batch_size": size, "gradient_accumulation_steps": batch // size}


def recipe001() -> list[Job]:
    """The document's recipe as written (expected to fail in fp16), with fp32 adapters, and in bf16."""
    half = {**DOCUMENT, "fp16": True, "bf16": False}
    jobs = [{"name": "document 001 verbatim, 4 x 16", "nf4": "float16", "config": half | micro(4, 64)}]
    for size in (4, 8, 16):
        more = {"nf4": "float16", "adapters": "float32", "config": half | micro(size, 64)}
        jobs.append({"name": f"document 001, fp32 adapters, {size} x {64 // size}", **more})
        more = {"nf4": "bfloat16", "config": {**DOCUMENT, "bf16": True, **micro(size, 64)}}
        jobs.append({"name": f"document 001 in bf16, {size} x {64 // size}", **more})
    made = [{"arm": "trl", "batch": 64, "group": "64", **job} for job in jobs]
    like = lab(64, "64", "the lab, NF4 as plain weights", set=NF4)
    packed = lab(64, "64", "the lab, NF4 packed", set=NF4 | {"speed.dequantise": False})
    return [lab(64, "64"), like, packed, *made]


def llamafactory() -> list[Job]:
    """LLaMA-Factory's defaults: LoRA 8 on all layers, 2 x 8, bf16, checkpointing, dynamic padding."""
    config = {**micro(2, 16), "bf16": True, "optim": "adamw_torch"}
    peer = {"arm": "llamafactory", "name": "LLaMA-Factory defaults", "config": config}
    # Where it is not installed: what its defaults say, in TRL's trainer. Never to be called LLaMA-Factory.
    stand_in = {"arm": "trl", "name": "LLaMA-Factory's settings in TRL (stand-in)", "dtype": "bfloat16",
                "config": {**config, "gradient_checkpointing": True}}  # fmt: skip
    common = {"batch": 16, "rank": 8, "group": "16"}
    return [lab(16, "16", rank=8), {**peer, **common}, {**stand_in, **common, "instead_of": "llamafactory"}]


def unsloth() -> list[Job]:
    """Unsloth's defaults, and its best: 16 bits, packed, with and without checkpointing."""
    default = {**micro(2, 8), "optim": "adamw_8bit"}
    jobs = [lab(8, "8"), lab(8, "8", "the lab, NF4 as plain weights", set=NF4),
            {"arm": "unsloth", "name": "Unsloth defaults", "batch": 8, "config": default, "group": "8",
             "load": {"load_in_4bit": True}, "checkpointing": "unsloth"}]  # fmt: skip
    for size in (4, 8, 16):  # rows of 2,048 tokens hold ten examples each
        batch = 10 * size
        group = str(batch)
        jobs.append(lab(batch, group))
        for checkpointing in ("unsloth", False):
            config = {"per_device_train_batch_size": size, "packing": True, "optim": "adamw_8bit"}
            name = f"Unsloth packed {size}, checkpointing {checkpointing}"
            jobs.append({"arm": "unsloth", "name": name, "batch": batch, "config": config, "group": group,
                         "load": {"load_in_4bit": False}, "checkpointing": checkpointing})  # fmt: skip
    checkpointed = {"resources.gradient_checkpointing": True}
    return [*jobs, lab(80, "80", "the lab, checkpointed", set=checkpointed)]


def trl() -> list[Job]:
    """TRL's defaults, grouped by length in bf16, and packed: the best of the box."""
    best = {"bf16": True, "gradient_checkpointing": False}
    packed = {**best, "packing": True, "per_device_train_batch_size": 6, "use_liger_kernel": True}
    jobs = [
        {"name": "TRL defaults", "config": micro(8, 64)},
        {"name": "TRL grouped, bf16", "dtype": "bfloat16", "config": {**best, **GROUPED, **micro(64, 64)}},
        {"name": "TRL packed, bf16, liger", "dtype": "bfloat16", "config": packed},
    ]
    return [lab(64, "64"), *({"arm": "trl", "batch": 64, "group": "64", **job} for job in jobs)]


def ours() -> list[Job]:
    """The lab, one change at a time, then passes of other sizes."""
    jobs, switches = [lab(64, "64", "the lab, all off", set=_speed(OFF))], dict(OFF)
    for name, change in STAGES:
        switches |= change
        slow = {"warm": 30} if name == "compile" else {}  # compiles for the first shapes
        jobs.append(lab(64, "64", f"the lab + {name}", set=_speed(switches), **slow))
    jobs.append(lab(64, "64"))
    jobs.append(lab(256, "256", set={"speed.tokens_per_pass": 16_384}))
    for tokens in (4096, 8192, 32_768):
        jobs.append(lab(256, "256", f"the lab, {tokens} tokens", set={"speed.tokens_per_pass": tokens}))
    jobs.append(lab(64, "chat 64", data="chat"))
    return jobs


def full() -> list[Job]:
    """Full fine-tuning: TRL's defaults beside the lab."""
    peer = {"arm": "trl", "name": "TRL full", "batch": 64, "full": True, "config": micro(8, 64), "group": "64"}
    return [lab(64, "64", set={"method.name": "full"}), peer]


def memory() -> list[Job]:
    """Points of planned against measured peak: method, batch, checkpointing, NF4, passes without padding."""
    padded = {"speed.auto_checkpointing": False, "speed.padding_free": "off"}
    points: list[tuple[str, int, Job]] = []
    for method in ("lora", "full"):
        for batch in (2, 4, 8):
            for on in (False, True):
                change = {"method.name": method, "resources.gradient_checkpointing": on}
                points.append((f"{method} {batch}{' checkpointed' if on else ''}", batch, padded | change))
    points.append(("NF4 packed 4", 4, padded | NF4 | {"speed.dequantise": False}))
    points.append(("NF4 as plain weights 4", 4, padded | NF4))
    for tokens in (8192, 16_384):
        flat = {"speed.tokens_per_pass": tokens, "speed.padding_free": "on", "speed.auto_checkpointing": False}
        points.append((f"lora, {tokens} tokens a pass", 16, flat))
    points.append(("lora 4, plain layers", 4, _speed(OFF)))
    return [{"arm": "ours", "name": f"memory {name}", "batch": batch, "set": change, "data": "full", "rows": 64,
             "warm": 2, "group": "memory", "reference": False} for name, batch, change in points]  # fmt: skip


PARTS = {"recipe001": recipe001, "llamafactory": llamafactory, "unsloth": unsloth, "trl": trl, "ours": ours,
         "full": full, "memory": memory}  # fmt: skip
TINY_SHAPES = {"llama-1b": "tiny-llama", "gpt2-large": "tiny-gpt2"}


def jobs_of(part: str, shape: str, *, tiny: bool, updates: int, select: str = "") -> list[Job]:
    """The jobs of a part for a shape, completed by what all have in common; those with `select` in their name."""
    common: Job = {"part": part, "shape": shape, "rank": 16, "data": "alpaca", "rows": 4096, "warm": 10,
                   "longest": 1024 if shape == "gpt2-large" else 2048}  # fmt: skip
    jobs = [common | job for job in PARTS[part]() if select in job["name"]]
    if tiny:
        jobs = [_tiny(job) for job in jobs]
    timed = 4 if part == "memory" and not tiny else updates
    return [job | {"updates": job["warm"] + timed} for job in jobs]


def _tiny(job: Job) -> Job:
    """The same at a size that a CPU takes in seconds: an eighth of the examples, short ones, no fp16."""
    batch = max(2, job["batch"] // 8)
    made = job | {"shape": TINY_SHAPES[job["shape"]], "rows": 64, "longest": 64, "warm": 1, "rank": 4, "batch": batch}
    if "config" in job:
        config = dict(job["config"])
        size = min(2, config["per_device_train_batch_size"])
        if "gradient_accumulation_steps" in config:
            config |= micro(size, batch)
        config |= {"optim": "adamw_torch", "fp16": False, "bf16": config.get("bf16", False) and not job.get("nf4")}
        config.pop("use_liger_kernel", None)
        made["config"] = config
        if job.get("nf4"):
            made["nf4"] = "float32"
    if "speed.tokens_per_pass" in job.get("set", {}):
        made["set"] = job["set"] | {"speed.tokens_per_pass": job["set"]["speed.tokens_per_pass"] // 64}
    return made


def _speed(switches: dict[str, Any]) -> dict[str, Any]:
    return {f"speed.{name}": value for name, value in switches.items()}
