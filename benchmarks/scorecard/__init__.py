"""What the predictions are worth on devices and models that were left out, beside what simpler ways would have said."""
