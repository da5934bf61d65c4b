"""From a choice to an artifact: find the weights, run the recipe's steps, deliver the result whole or not at all."""
