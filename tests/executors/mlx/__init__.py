"""MLX converts and runs a trained model."""
