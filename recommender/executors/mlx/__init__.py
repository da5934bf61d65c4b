"""MLX: converting and quantizing language models with mlx-lm, and running them."""
