"""llama.cpp: Hugging Face models to GGUF, every quantization level of the format, and running them on processors and cards."""
