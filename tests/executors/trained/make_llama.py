"""A Llama of 2.9 M parameters that has read the language reference that comes with Python: an HF folder and two texts it has not seen.

    python make_llama.py OUT_FOLDER

All row lengths are multiples of 256, so that every block format fits. The text is prose with code, 0.5 MB; held out are whole stretches of
paragraphs, and no paragraph occurs twice. Needs torch, transformers and tokenizers; about a minute on two cores.
"""

from __future__ import annotations

import json
import math
import pydoc_data.topics
import sys
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY, CONTEXT, BATCH, STEPS, RATE = 2048, 256, 8, 300, 3e-3
STRETCH, CYCLE = 30, 12  # paragraphs that stay together; of each 12 stretches one is for evaluation and one for calibration
END = "<|endoftext|>"


def texts() -> tuple[str, str, str]:
    """Training, evaluation and calibration text."""
    paragraphs = dict.fromkeys(part for topic in pydoc_data.topics.topics.values() for part in topic.split("\n\n") if part.strip())
    whole = list(paragraphs)
    stretches = ["\n\n".join(whole[at : at + STRETCH]) for at in range(0, len(whole), STRETCH)]
    chosen = {part: [text for at, text in enumerate(stretches) if at % CYCLE == part] for part in range(CYCLE)}
    training = [text for at, text in enumerate(stretches) if at % CYCLE not in (5, 11)]
    return tuple("\n\n".join(part) for part in (training, chosen[5], chosen[11]))  # type: ignore[return-value]


def byte_pairs(text: str) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator([text], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, bos_token=END, eos_token=END, pad_token=END)


def learning_rate(step: int) -> float:
    """Share of the peak rate: 20 steps up, then a cosine down to a tenth."""
    return min((step + 1) / 20, 0.55 + 0.45 * math.cos(math.pi * step / STEPS))


def trained(tokens: torch.Tensor) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=256, intermediate_size=512, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=2048, initializer_range=0.05, tie_word_embeddings=True, bos_token_id=0, eos_token_id=0, pad_token_id=0,
    )
    model = LlamaForCausalLM(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, learning_rate)
    window = torch.arange(CONTEXT)
    for step in range(STEPS):
        batch = tokens[torch.randint(len(tokens) - CONTEXT, (BATCH, 1)) + window]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step} loss {loss.item():.2f}", flush=True)
    return model.eval()


@torch.no_grad()
def perplexity(model: LlamaForCausalLM, tokens: torch.Tensor) -> float:
    rows = tokens[: len(tokens) // CONTEXT * CONTEXT].view(-1, CONTEXT)
    return math.exp(sum(model(input_ids=row[None], labels=row[None]).loss.item() for row in rows) / len(rows))


def main(out: Path) -> None:
    torch.manual_seed(1)
    torch.set_num_threads(2)
    started = time.monotonic()
    training, evaluation, calibration = texts()
    tokenizer = byte_pairs(training)
    ids = {name: torch.tensor(tokenizer(text)["input_ids"]) for name, text in (("training", training), ("evaluation", evaluation))}
    model = trained(ids["training"])
    facts = {
        "parameters": model.num_parameters(), "seconds": round(time.monotonic() - started), "perplexity": round(perplexity(model, ids["evaluation"]), 3),
        "training_tokens": len(ids["training"]), "evaluation_tokens": len(ids["evaluation"]),
    }
    model.save_pretrained(out / "model")
    tokenizer.save_pretrained(out / "model")
    (out / "text-eval.txt").write_text(evaluation, "utf-8")
    (out / "text-calibration.txt").write_text(calibration, "utf-8")
    (out / "facts.json").write_text(json.dumps(facts), "utf-8")
    print(facts)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
